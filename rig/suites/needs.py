"""What a test needs of the firmware under test, and why some firmware does not have it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pytest

from rig import registry
from rig.firmware.entries import BoardKind
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Manifest
from rig.firmware.run_firmware import NAME_YOURS
from rig.suites.source import read_test


@dataclass(frozen=True, slots=True)
class Needs:
    """Which images of which variant a test asks for, and whether the old one must ask a server for updates."""

    board: BoardKind
    variant: str | None
    roles: frozenset[str]
    asks_server: bool

    def to_json(self) -> list[Any]:
        """As JSON."""
        return [self.board, self.variant, sorted(self.roles), self.asks_server]

    @classmethod
    def from_json(cls, fields: list[Any]) -> Needs:
        """The same again."""
        board, variant, roles, asks_server = fields
        return cls(board, variant, frozenset(roles), asks_server)


def needs_of(item: pytest.Item) -> Needs | None:
    """What a test needs; None for one that asks for no board of a kind that has firmware here."""
    board = item.get_closest_marker("board")
    if board is None or not board.args or not registry.is_kind(board.args[0]) or not isinstance(item, pytest.Function):
        return None
    kind: BoardKind = board.args[0]
    rules = rules_of(kind)
    roles, asks_server = read_test(item)
    asks_server |= "swap" in item.fixturenames
    marker = item.get_closest_marker("firmware")
    variant = marker.args[0] if marker is not None else None
    return Needs(kind, variant, roles | rules.known_state, asks_server and rules.server_field is not None)


def why_not(known: Manifest, needs: Needs, *, filled_in: bool) -> str | None:
    """Why a test cannot run with this firmware; None where it can.

    `filled_in`: whether the board may be given what nobody named, the rig's noise. Raises Misuse for an image that is
    not as the manifest says.
    """
    if lack := lacking(known, needs.board, needs.variant, needs.roles, filled_in=filled_in):
        return lack
    old = known.roles(needs.board, needs.variant)["old"]
    rules = rules_of(needs.board)
    field = rules.server_field
    if needs.asks_server and field is not None and (old.details is None or rules.server_trust(old.details) is None):
        return f"nothing says how {old.name} asks for updates ({field.holds} of its {field.name} table)"
    return None


def lacking(
    known: Manifest, board: BoardKind, variant: str | None, roles: Collection[str], *, filled_in: bool
) -> str | None:
    """Which of these parts nobody may play on a board, and what to do about it; None where all are there."""
    every = known.roles(board, variant) if known.has_roles(board, variant) else {}
    role_set = every if filled_in else known.genuine_roles(board, variant)
    missing = set(roles) - set(role_set)
    if not missing:
        return None
    only = f"the rig's own runs on twins only: {NAME_YOURS}"
    if known.fallback is None and missing <= set(every):
        return only
    named = f"{', '.join(sorted(missing))} image" if variant is None or role_set else "such variant"
    return f"{known.path.name} names no {named} for {board}" + (f": {only}" if missing <= set(every) else "")
