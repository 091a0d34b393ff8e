"""What a run was on: which rack it was on, which boards it used, and whether any of them was a real one.

A run counts as hardware only where every board's place says so, and no twin was seen there: whatever else is told as
what it is, in every title.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from rig.escape import one_line

VIRTUAL_RACK = "virtual"
#: Tiers whose boards are processes.
VIRTUAL_TIERS = ("model", "silicon")
HARDWARE, UNKNOWN, MIXED, NO_BOARD = "hardware", "unknown", "mixed", "none"
_KNOWN = (*VIRTUAL_TIERS, HARDWARE)
Nature = Literal["virtual", "hardware", "mixed", "unknown", "none"]
#: Text from outside, such as the name of a place or of a file: as a page may show it.
Text = Annotated[str, BeforeValidator(lambda text: one_line(text) if isinstance(text, str) else text)]


class PlaceUsed(BaseModel):
    """A place whose board a test had: `board` is its kind, `tier` what its tag says, unless a twin was seen there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    board: Text
    tier: Text


class Testbed(BaseModel):
    """`rack` is `virtual` or an environment file; `places` are those that were used, none before the first test."""

    __test__: ClassVar[bool] = False
    model_config = ConfigDict(extra="forbid", frozen=True)

    rack: Text
    coordinator: Text | None = None
    places: tuple[PlaceUsed, ...] = ()

    @property
    def tier(self) -> str:
        """The one tier of all boards; `mixed`, `unknown` where a place does not say, or `none` without a board."""
        if self.rack == VIRTUAL_RACK:
            return VIRTUAL_TIERS[0]
        tiers = {place.tier if place.tier in _KNOWN else UNKNOWN for place in self.places}
        if len(tiers) > 1:
            return MIXED
        return tiers.pop() if tiers else NO_BOARD

    @property
    def nature(self) -> Nature:
        """What a reader may take the run for."""
        if self.tier in VIRTUAL_TIERS:
            return "virtual"
        return {HARDWARE: "hardware", MIXED: "mixed", UNKNOWN: "unknown"}.get(self.tier, "none")  # type: ignore[return-value]

    def titled(self, run: str) -> str:
        """A run's name as titles have it."""
        return {
            "virtual": f"VIRTUAL run {run} (tier {self.tier}, no real board)",
            "hardware": f"Hardware run {run} (as its places say)",
            "mixed": f"MIXED run {run} (not all boards are real)",
            "unknown": f"Run {run} on boards of UNKNOWN tier (not proven to be real)",
            "none": f"Run {run} without a board",
        }[self.nature]
