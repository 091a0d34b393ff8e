"""Update paths of a Core as board sweeps cut them: DFU in both orders, the copies that its bootloader makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rig.campaign.strata import BoardPath, TrialAt, share_of_piece
from rig.campaign.trial import Trial
from rig.drivers.dfu_host import TRANSFER_SIZE, EraseOrder
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.timing import SAVE_SECONDS
from rig.families.spark_core.campaign.dfu_trial import DfuTrial, FactoryReset, OtaCopy
from rig.families.spark_core.campaign.firmware_reset import FirmwareFactoryReset
from rig.families.spark_core.formats import flash as layout
from rig.firmware.manifest import Image
from rig.power.trigger import Aim

Roles = Mapping[str, Image]
#: How long generation C waits between its answer to the leave and the save of its flags.
_C_WAITS_SECONDS = 0.5
_BLOCK_SECONDS = TRANSFER_SIZE // 2 * layout.HALF_WORD
_COPY = ("erase", "program", "commit")
#: In readback mode a Core waits with MODE held.
_MODE = {"mode": "wired"}


def _pieces(phase: str, size: int, seconds: float, order: EraseOrder) -> TrialAt:
    """A phase of DFU in pieces of `size` bytes, each of which takes a while at full speed."""

    def trial(position: float, board: SparkCore, roles: Roles) -> DfuTrial:
        target = roles["new"]
        share, part = share_of_piece(position, -(-len(target) // size))
        return DfuTrial(target, Aim(phase, share, 1000 * part * seconds * board.timing.scale), order)

    return trial


def _commit(order: EraseOrder) -> TrialAt:
    """The save of the flags, which begins when the device is told to leave."""

    def trial(position: float, board: SparkCore, roles: Roles) -> DfuTrial:
        waits = _C_WAITS_SECONDS if board.tags.get("generation", "").startswith("c") else 0.0
        delay = (waits + position * SAVE_SECONDS) * board.timing.scale
        return DfuTrial(roles["new"], Aim("commit", delay_ms=1000 * delay), order)

    return trial


def _dfu(order: EraseOrder) -> dict[str, TrialAt]:
    return {
        "erase": _pieces("erase", layout.INTERNAL_PAGE, layout.PAGE_ERASE, order),
        "program": _pieces("program", TRANSFER_SIZE, _BLOCK_SECONDS, order),
        "commit": _commit(order),
    }


def _copy(phase: str) -> TrialAt:
    return lambda position, board, roles: OtaCopy.cut_in(phase, position, roles["new"], board)


def _reset(phase: str) -> TrialAt:
    return lambda position, board, roles: FactoryReset.cut_in(phase, position, roles["factory"], board)


def _asked_for(phase: str) -> TrialAt:
    """A reset that the application asks for, which plays the old image."""
    return lambda position, board, roles: FirmwareFactoryReset.cut_in_copy(
        phase, position, roles["factory"], roles["old"], board
    )


def _not_in_a_reset(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Generation A marks first and takes a backup; C marks what its button asks for on the way."""
    generation = tags.get("generation", "")
    if generation.startswith("a"):
        return ()
    return ("backup",) if generation.startswith("c") else ("mark", "backup")


class CoreBoardSweeps:
    """As rig.campaign.strata asks for."""

    paths: Mapping[str, BoardPath] = {
        "dfu": BoardPath(
            "a new application over DFU, every page erased first", _dfu(EraseOrder.ALL_FIRST), _MODE, begins="erase"
        ),
        "dfu-interleaved": BoardPath(
            "a new application over DFU, each page erased before it is written",
            _dfu(EraseOrder.INTERLEAVED),
            _MODE,
            begins="erase",
        ),
        "ota-copy": BoardPath(
            "the bootloader copies a downloaded update",
            {phase: _copy(phase) for phase in ("backup", "mark", *_COPY)},
            _MODE,
            lambda tags: ("mark",) if tags.get("generation") == "a2013" else (),
            {"new": "full"},
        ),
        "factory-button": BoardPath(
            "a factory reset by the button",
            {phase: _reset(phase) for phase in ("mark", "backup", *_COPY)},
            _MODE,
            _not_in_a_reset,
            {"factory": "full"},
        ),
        "factory-reset": BoardPath(
            "a factory reset by firmware",
            {phase: _asked_for(phase) for phase in _COPY},
            {**_MODE, "wifi": "joined"},
            lambda tags: _COPY if tags.get("generation", "").startswith("a") else (),  # it does not know that
            {"factory": "full", "old": "probe"},
        ),
    }

    def path_of(self, trial: Trial[Any]) -> str | None:
        """By what it does."""
        match trial:
            case DfuTrial():
                return "dfu-interleaved" if trial.order is EraseOrder.INTERLEAVED else "dfu"
            case OtaCopy():
                return "ota-copy"
            case FirmwareFactoryReset():
                return "factory-reset"
            case FactoryReset():
                return "factory-button"
        return None

    def reader(self, path: str, roles: Roles, _phase: str) -> Trial[Any]:
        """A trial of a path that is not to be made: it reads landings."""
        nowhere = Aim("nowhere")
        match path:
            case "ota-copy":
                return OtaCopy(roles["new"], nowhere)
            case "factory-button" | "factory-reset":
                return FactoryReset(roles["factory"], nowhere)
        order = EraseOrder.INTERLEAVED if path == "dfu-interleaved" else EraseOrder.ALL_FIRST
        return DfuTrial(roles["new"], nowhere, order)

    def choices(self, tags: Mapping[str, str], _roles: Mapping[str, Image]) -> dict[str, str]:
        """The generation of its bootloader, where its place tells it."""
        return {"generation": tags["generation"]} if "generation" in tags else {}
