"""Which parts images may play: those of every kind of board, and those of one."""

from __future__ import annotations

from rig.firmware.image_rules import all_rules, rules_of

#: Parts that an image for any kind of board may play; a suite whose part nobody plays is not run.
COMMON_ROLES = frozenset(
    ("old", "new", "previous", "factory", "crashing", "hanging", "blank", "oversize", "text", "full")
)
#: The parts that every role set needs; `old` is what every test starts from.
NEEDED_ROLES = ("old", "new")
#: Parts of images that a board may be found running; the others are there to be refused or to fail.
OUTCOME_ROLES = ("old", "new", "previous", "factory")
#: Parts that are there to be refused: nothing is wrong with an image that plays one.
TO_BE_REFUSED = frozenset({"blank", "oversize", "text"})


def roles_for(kind: str) -> frozenset[str]:
    """All parts that an image for boards of a kind may play. Raises Misuse for a kind that nobody knows."""
    return COMMON_ROLES | rules_of(kind).roles


def all_roles() -> frozenset[str]:
    """All parts that an image for boards of any kind may play."""
    return COMMON_ROLES.union(*(rules.roles for rules in all_rules()))
