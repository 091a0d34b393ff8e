"""Which bootloader a Core starts with: told by the pages that hold it, as long as nobody has written over them."""

from __future__ import annotations

from collections.abc import Callable

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.memory import CoreMemory
from rig.twin.footprint import contents

#: Which generation's bootloader a 16 KiB area holds, by its name, or None for something no Core starts from.
IdentifyBootloader = Callable[[bytes], str | None]
BOOT_PAGES = layout.BOOTLOADER_SIZE // layout.INTERNAL_PAGE


class BootCode:
    """The pages of the bootloader, and what they are.

    What lay there when the board was made counts as the bootloader it was made with: files need not hold one.
    """

    def __init__(self, memory: CoreMemory, identify: IdentifyBootloader, generation: str | None):
        self._memory, self._identify = memory, identify
        self._pages = self._in_flash()
        self._generation = identify(b"".join(self._pages)) or generation

    @property
    def generation(self) -> str | None:
        """Its name; None when somebody has written over it."""
        pages = self._in_flash()
        if pages != self._pages:
            self._pages = pages
            self._generation = self._identify(b"".join(pages))
        return self._generation

    def _in_flash(self) -> tuple[bytes, ...]:
        return self._memory.internal.ask(contents, layout.INTERNAL_BASE, layout.BOOTLOADER_SIZE)
