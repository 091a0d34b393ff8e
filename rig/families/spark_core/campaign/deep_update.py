"""A deep update of one Core: consent first, the way by what the ledger says, everything seen afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rig.clock import poll
from rig.errors import DeviceFault, Misuse
from rig.evidence.ledger import Ledger
from rig.families.spark_core.boards.board import ALIVE, SparkCore
from rig.families.spark_core.boards.online import UpdateUnderWay
from rig.families.spark_core.firmware.deep_updates import DeepUpdate
from rig.firmware.manifest import Image

RADIO_EVENT = "spark/cc3000-patch-version"
OVER_THE_AIR, OVER_USB = "cloud", "dfu"
#: What Tinker's functions are asked; each answers with 0 or more.
ARGUMENTS = {"digitalread": "D0", "digitalwrite": "D0,LOW", "analogread": "A0", "analogwrite": "A0,0"}
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    path: str
    radio: str
    functions: list[str]
    seconds: float


def choose_path(lines: Iterable[Mapping[str, Any]], core_id: str, wanted: int) -> str:
    """Over the air when the board's last `wanted` updates in the ledger were applied, else over USB."""
    applied = [bool(line["applied"]) for line in lines if line["kind"] == "update" and line.get("core") == core_id]
    last = applied[-wanted:]
    return OVER_THE_AIR if len(last) == wanted and all(last) else OVER_USB


def run_deep_update(
    board: SparkCore, plan: DeepUpdate, image: Image, path: str, *, consent: str, ledger: Ledger, note: Note
) -> Done:
    """Install the image, wait until it has patched the radio, give the network back, and look at everything.

    Writes who consented before a byte leaves, and what came of it. Raises Misuse without consent, DeviceFault when
    the radio or Tinker are not what they should be.
    """
    if not consent.strip():
        raise Misuse("nobody consents", board=board.name, hint="--consent NAME, by whoever answers for the board")
    if board.online is None:
        raise Misuse("has no cloud here", board=board.name, hint="ask for a place with the tag wifi=joined")
    began = time.monotonic()
    about = {"place": board.name, "core": board.online.core_id, "update": plan.name, "path": path}
    ledger.append("consent", {**about, "by": consent, "at": time.time(), "image": image.sha256})
    try:
        done = _install_and_see(board, plan, image, path, note, began)
    except BaseException as error:
        ledger.append("deep-update", {**about, "ok": False, "reason": str(error) or type(error).__name__})
        raise
    ledger.append("deep-update", {**about, "ok": True, "radio": done.radio, "seconds": round(done.seconds, 1)})
    return done


def _install_and_see(board: SparkCore, plan: DeepUpdate, image: Image, path: str, note: Note, began: float) -> Done:
    assert board.online is not None
    sending: UpdateUnderWay | None = None
    note(f"installing {image.name} over {'the air' if path == OVER_THE_AIR else 'USB'}")
    if path == OVER_THE_AIR:
        board.start()
        board.go_online()
        board.online.forget()
        sending = board.online.begin_update(image)
    else:
        board.enter_dfu()
        board.update(image)
    note("patching the radio: keep it powered")
    seconds = (plan.seconds + board.timing.joins) * board.timing.scale + board.timing.ota_copy
    shown = poll(lambda: _is_refused(sending) or board.sign() in ALIVE, seconds=seconds, clock=board.clock, every=0.1)
    if _is_refused(sending):
        assert sending is not None
        raise DeviceFault(f"the update did not arrive: {sending.error}", board=board.name, phase="download")
    if not shown:
        raise DeviceFault(
            f"shows nothing within {seconds:.0f} s: the radio may be lost", board=board.name, phase="patch"
        )
    note("giving the network back")
    with board.online.hearing(RADIO_EVENT) as heard:
        if board.online.is_back():
            board.start()  # patched before: it kept its network, and said its version before we listened
        board.go_online()
        version = poll(lambda: heard[-1] if heard else None, seconds=board.timing.start, clock=board.clock)
    if version != plan.radio:
        raise DeviceFault(f"its radio says {version or 'nothing'}, not {plan.radio}", board=board.name, phase="verify")
    note("asking its functions")
    offered = board.online.describe()["f"]
    for name in plan.functions:
        if name not in offered or board.online.call(name, ARGUMENTS.get(name, "")) < 0:
            raise DeviceFault(f"does not answer {name}", board=board.name, phase="verify")
    return Done(path, version, offered, time.monotonic() - began)


def _is_refused(sending: UpdateUnderWay | None) -> bool:
    """Whether an update over the air ended before the Core could install it."""
    return sending is not None and sending.error is not None
