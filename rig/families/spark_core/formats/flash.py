"""Where things lie in a Spark Core's two flash memories, and the system-flags page (core-common-lib's hw_config.h)."""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass

INTERNAL_BASE = 0x0800_0000
INTERNAL_SIZE = 0x2_0000
INTERNAL_PAGE = 1024
BOOTLOADER_SIZE = 0x4000
FLAGS_ADDRESS = 0x0800_4C00
APP_ADDRESS = 0x0800_5000
APP_SIZE = 110_592
APP_PAGES = APP_SIZE // INTERNAL_PAGE

EXTERNAL_SIZE = 0x20_0000
EXTERNAL_SECTOR = 4096
SERVER_KEY_ADDRESS = 0x1000
SERVER_ADDRESS_OFFSET = 0x180
CORE_KEY_ADDRESS = 0x2000
FACTORY_ADDRESS = 0x2_0000
BACKUP_ADDRESS = 0x4_0000
OTA_ADDRESS = 0x6_0000
SLOT_SIZE = 0x2_0000

#: How long flash works, in seconds: STM32F103 and SST25VF016B datasheet values, the pair with its SPI traffic
#: (so a backup takes 2-3 s, a restore 5-7 s).
PAGE_ERASE, HALF_WORD = 30e-3, 52.5e-6
SECTOR_ERASE, PAIR, SINGLE_BYTE = 20e-3, 30e-6, 15e-6

_EDITIONS_OF_C = (2, 3, 4, 5, 6, 7, 8, 11, 101, 201, 301, 311, 401, 500, 501)
#: Bootloaders by the name of their generation; those of C by their number behind it, `c` alone being 11.
GENERATIONS = ("a2013", "a", "b", "c", *(f"c{number}" for number in _EDITIONS_OF_C))

RAM_BASE = 0x2000_0000
RAM_SIZE = 20 * 1024

OTA_RUN = 0x5000
OTA_READY = 0x0005
OTA_COPYING = 0x5555
FACTORY_REQUESTED = 0xAAAA
FACTORY_RESET_DONE = 0x5A
NVMEM_WIPE_PROFILES = 0x0001
WORD_BLANK = 0xFFFF


def plausible_first_word(image: bytes) -> bool:
    """Whether the bootloader would start `image`: all it looks at is the mask of the initial stack pointer (§2.5)."""
    return len(image) >= 4 and struct.unpack_from("<I", image)[0] & 0x2FFE_0000 == RAM_BASE


def stack_in_ram(pointer: int) -> bool:
    """Whether what a Core loads as its stack pointer, whole words only, has RAM below it for two words.

    Measured on the binary of 2014-08-21: from 0x20000008 on it goes to the image, below it falls over its own calls.
    """
    return RAM_BASE + 8 <= pointer & ~3 <= RAM_BASE + RAM_SIZE


@dataclass(slots=True)
class SystemFlags:
    """The flags at 0x08004C00, in the order they are saved (§2.2).

    Each generation knows, and saves, the first `size` bytes only: A 8, B 10, C 18.
    """

    firmware_version: int = WORD_BLANK
    nvmem: int = WORD_BLANK
    ota: int = WORD_BLANK
    flashed: int = WORD_BLANK
    factory: int = WORD_BLANK
    dfu_on_no_firmware: int = 0xFF
    factory_done: int = 0xFF
    startup_mode: int = 0xFF
    features: int = 0xFF
    reset_cause: int = 0xFFFF_FFFF
    size: int = 10

    SIZE = 10
    LONGEST = 18
    _FORMAT = "<5H4BI"

    @classmethod
    def unpack(cls, page: bytes) -> SystemFlags:
        """Read the flags from the page's beginning: as many as `page` holds, the others are blank."""
        whole = struct.calcsize(cls._FORMAT)
        flags = cls(*struct.unpack(cls._FORMAT, page[:whole].ljust(whole, b"\xff")))
        flags.size = len(page[:whole])
        return flags

    def pack(self) -> bytes:
        """The `size` bytes as saved."""
        return struct.pack(self._FORMAT, *astuple(self)[:-1])[: self.size]
