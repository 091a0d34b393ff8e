"""Whether a Core is the one that its place's tags name: it is asked over DFU, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rig.boards.identity import unless_miswired
from rig.drivers.dfu_host import DfuHost
from rig.errors import Misdescribed
from rig.families.spark_core.boards.bootloader import CoreBootloader, look_at_bootloader
from rig.families.spark_core.formats.core_id import usb_serial
from rig.firmware.manifest import Manifest

LIST_IT = "list it in your manifest as [[bootloader]], with generation, size and sha256"


class CoreIdentity:
    """What a place says of its Core, and whether that was seen to be so."""

    def __init__(self, tags: Mapping[str, str], board: str):
        self._tags, self._board, self._is_seen = tags, board, False
        self._bootloaders: tuple[Manifest, Callable[[str], object]] | None = None

    def compare_bootloader(self, known: Manifest, say: Callable[[str], object]) -> None:
        """From now on compare the tag `generation` too, by what a manifest lists; `say` hears what nothing tells."""
        self._bootloaders = known, say

    def check(self, host: DfuHost) -> None:
        """Compare the tags `core_id` and `generation` with what the Core in DFU tells. Raises Misdescribed."""
        if self._is_seen:
            return
        if "core_id" in self._tags:
            check_core(self._tags["core_id"], host.serial_number(), board=self._board)
        if self._bootloaders is not None and "generation" in self._tags:
            known, say = self._bootloaders
            found = look_at_bootloader(host, known)
            if unclear := check_bootloader(self._tags["generation"], found, board=self._board):
                say(unclear)
        self._is_seen = True


def check_core(tag: str, serial: str, *, board: str) -> None:
    """Compare a Core's id with the serial number that it shows on USB. Raises Misdescribed."""
    wanted = usb_serial(bytes.fromhex(tag))
    if serial != wanted:
        raise Misdescribed(
            f"the tag core_id={tag} is another Core's: that has the serial number {wanted}, this {serial}",
            board=board,
            hint="does the tag busid name its port? A listening Core tells its id when `i` is typed on its console",
        )


def check_bootloader(tag: str, found: CoreBootloader, *, board: str) -> str | None:
    """Compare a generation with a Core's bootloader; what to say where nothing tells it. Raises Misdescribed."""
    if found.contradicts(tag):
        what = found.generation or f"one that {found.maker} made, and none the rig knows"
        hint = unless_miswired(board, f"generation={found.generation}") if found.generation else LIST_IT
        raise Misdescribed(f"the tag generation={tag} is another Core's: this has {what}", board=board, hint=hint)
    if found.generation is None:
        code = f"{found.size:,} bytes with sha256 {found.sha256}"
        what = f"nothing tells whether its bootloader is of generation {tag}: {code} are none the rig knows"
        return f"{board}: {what} (hint: {LIST_IT})"
    return None
