"""One start of a Core from given contents until it settles, told in the vocabulary of the boot vectors."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.boot_code import BOOT_PAGES
from rig.families.spark_core.twin.core import Core

CAUSES = {
    "power-on": frozenset({"power-on", "pin"}),
    "pin": frozenset({"pin"}),
    "software": frozenset({"software", "pin"}),
    "watchdog": frozenset({"watchdog", "pin"}),
}
CRASHES_UNTIL_LOOP = 12
RESTORES = ("magenta", "white", "red")
_State = tuple[list[bytes], list[bytes], dict[int, int], frozenset[str]]
#: Not part of the vectors' vocabulary.
_UNTOLD = ("power-on", "power-off", "healthy")


@dataclass(frozen=True, slots=True)
class BootResult:
    """How a start settled; field names and values as in vectors/boot/README.md."""

    outcome: str
    app: str
    app_sha256: str
    flags16: str
    upper_sha256: str
    ext_sha256: str
    dr1: int
    dr9: int
    dr10: int
    wdg_flag: bool
    ops: int
    events: list[str]
    #: Generation C's flags page; the others know no more than `flags16`.
    flags18: str | None = None
    sp: int | None = None
    pc: int | None = None
    iwdg_ms: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON has it: what only a started application or generation C has is left out for others."""
        fields = asdict(self)
        if self.flags18 is None:
            del fields["flags18"]
        if self.outcome not in ("app", "hang"):
            for name in ("sp", "pc", "iwdg_ms"):
                del fields[name]
        return fields


def start(core: Core, *, cause: str = "power-on", dr: dict[int, int] | None = None, hold_ms: int = 0) -> None:
    """Put the board into the state a start begins with, MODE pressed when `hold_ms` says so."""
    core.mode_held = hold_ms > 0
    core.power_on(core.time, causes=CAUSES[cause])
    core.dr.update(dr or {})


def settle(core: Core, *, hold_ms: int = 0) -> str:
    """Let a started board run until it settles; returns the outcome.

    `hold_ms` counts from now; MODE is let go at the latest when the application area begins to be erased. Flash work
    may take no time: nothing happens here but one step after the other.
    """
    most_steps, core.most_steps = core.most_steps, 0
    try:
        return _settle(core, core.time + hold_ms / 1000 if hold_ms else math.inf)
    finally:
        core.most_steps = most_steps


def _settle(core: Core, release_at: float) -> str:
    first = max(len(core.events) - 1, 0)
    seen: list[_State] = []
    resets = 0
    while True:
        if release_at < math.inf and (release_at <= core.due() or _erases_application(core)):
            core.press_mode(False, min(release_at, core.due()))
            release_at = math.inf
        elif not core.step():
            return _settled(core)
        names = [event.name for event in core.events[first:]]
        if (outcome := _left_there(names)) is not None:
            return outcome
        if names[-1].startswith("jump:") and core.running is not None and _runs_well(core):
            return "app"
        if names.count("reset") > resets:
            resets += 1
            state = _state(core)
            if state in seen:
                return "loop"
            seen.append(state)


def _left_there(names: list[str]) -> str | None:
    """The outcome of a start that is not followed any further, for what happened in it."""
    if "self-jump" in names and names[-1] in RESTORES and names[-2] == "self-jump":
        return "copy-under-watchdog"
    return "loop" if names.count("watchdog-reset") >= CRASHES_UNTIL_LOOP else None


def _erases_application(core: Core) -> bool:
    """Whether the erase of the application area is what was begun last."""
    runs = core.memory.journal.runs
    return bool(runs) and (runs[-1].kind, runs[-1].address) == ("erase", layout.APP_ADDRESS)


def _state(core: Core) -> _State:
    """What a reset leaves: with the same again everything repeats itself."""
    memory = core.memory
    return list(memory.internal.pages), list(memory.external.pages), dict(core.dr), frozenset(core.causes)


def _runs_well(core: Core) -> bool:
    return core.application().runs == "ok"


def _settled(core: Core) -> str:
    if not core.powered:
        return "off"
    if core.locked_up:
        return "lockup"
    if core.events[-1].name == "standby":
        return "standby"
    if core.usb is not None and core.usb.identity == "1d50:607f":
        return "dfu"
    return "app" if _runs_well(core) and core.running else "hang"


def hashes(core: Core) -> dict[str, str]:
    """SHA-256 of the internal flash behind the bootloader, and of the external flash."""
    internal, external = core.memory.internal.pages, core.memory.external.pages
    return {"upper_sha256": _sha256(tuple(internal[BOOT_PAGES:])), "ext_sha256": _sha256(tuple(external))}


@lru_cache(maxsize=32)
def _sha256(pages: tuple[bytes, ...]) -> str:
    return hashlib.sha256(b"".join(pages)).hexdigest()


def result(core: Core, outcome: str) -> BootResult:
    """What a settled board looks like."""
    app = core.memory.app()
    has_more_flags = (core.generation or "").startswith("c")
    return BootResult(
        outcome=outcome,
        app=core.application().name,
        app_sha256=hashlib.sha256(app).hexdigest(),
        flags16=core.memory.flags16().hex(),
        flags18=core.memory.flags18().hex() if has_more_flags else None,
        **hashes(core),
        dr1=core.dr[1],
        dr9=core.dr[9],
        dr10=core.dr[10],
        wdg_flag="watchdog" in core.causes,
        ops=core.operations,
        events=[event.name for event in core.events if event.name not in _UNTOLD],
        sp=int.from_bytes(app[:4], "little"),
        pc=int.from_bytes(app[4:8], "little"),
        iwdg_ms=core.watchdog_ms,
    )
