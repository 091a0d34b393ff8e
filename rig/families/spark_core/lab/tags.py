"""What the tags of a Core's place may say, beside those of every place."""

from __future__ import annotations

import re

from rig.family.tags import WIRED, YES_OR_NO, Choice, Tag, TagRule

TAGS: tuple[TagRule, ...] = (
    Tag(
        *("core_id", re.compile(r"[0-9a-f]{24}").fullmatch, "48ff6c065067555026311387"),
        source="a listening Core's console, where `i` is typed,",
        joined=True,
    ),
    Choice("generation", ("b", "a", "a2013", "c"), r"c[0-9]+", "c with its version, as c7"),
    Choice("revision", ("white", "black"), rare=("black",)),
    Choice("mode", WIRED),
    Choice("locked", YES_OR_NO, rare=("no",)),
    Choice("wifi", ("none", "joined"), rare=("joined",)),
)
