"""Whether an ESP32 is the one that its place's tags name: its chip is asked by the loader, once."""

from __future__ import annotations

from collections.abc import Mapping

from rig.boards.identity import unless_miswired
from rig.errors import Misdescribed
from rig.families.esp32.drivers.loader import RomLoader


class ChipIdentity:
    """What a place says of its chip, and whether that was seen to be so."""

    def __init__(self, tags: Mapping[str, str], board: str):
        self._tags, self._board, self._is_seen = tags, board, False

    def check(self, rom: RomLoader) -> None:
        """Compare the tags `mac` and `revision` with what the chip tells. Raises Misdescribed."""
        if self._is_seen:
            return
        if "mac" in self._tags:
            check_mac(self._tags["mac"], rom.mac, board=self._board)
        if "revision" in self._tags:
            check_revision(self._tags["revision"], rom.revision, board=self._board)
        self._is_seen = True


def check_mac(tag: str, address: str, *, board: str) -> None:
    """Compare a tag with the base address that the chip tells. Raises Misdescribed."""
    found = address.replace(":", "").lower()
    if tag.replace(":", "").lower() != found:
        what = f"the tag mac={tag} is another board's: this chip's address is {found}"
        raise Misdescribed(what, board=board, hint=unless_miswired(board, f"mac={found}"))


def check_revision(tag: str, revision: int, *, board: str) -> None:
    """Compare a tag with the revision that the chip tells, major*100+minor. Raises Misdescribed."""
    found = f"v{revision // 100}.{revision % 100}"
    if tag != found:
        what = f"the tag revision={tag} is another chip's: this one is {found}"
        raise Misdescribed(what, board=board, hint=unless_miswired(board, f"revision={found}"))
