"""The flash chip as the SPI1 controller's registers show it: identity, SFDP table and status, by user commands.

What programs and erases goes through the loaders, not through here. Facts: esptool's run_spiflash_command;
JESD216 for SFDP.
"""

from __future__ import annotations

import struct

from rig.families.esp32.twin.memory import FLASH_SIZE

BASE, SIZE = 0x3FF42000, 0x100
CMD, ADDR, USER, USER2 = 0x00, 0x04, 0x1C, 0x24
MOSI_DLEN, MISO_DLEN, W0 = 0x28, 0x2C, 0x80
_START = 1 << 18
#: The controller's buffer: W0 to W15.
_BUFFER = range(W0, W0 + 64, 4)
_HAS_MISO, _HAS_MOSI = 1 << 28, 1 << 27

READ_ID, READ_SFDP = 0x9F, 0x5A
ENABLE_RESET, SOFT_RESET = 0x66, 0x99
WRITE_ENABLE, WRITE_ENABLE_VOLATILE, WRITE_DISABLE = 0x06, 0x50, 0x04
READ_STATUS, WRITE_STATUS = (0x05, 0x35, 0x15), (0x01, 0x31, 0x11)

#: Winbond's W25Q16 to W25Q128: manufacturer and type; the size as a power of two comes third.
MAKER = bytes([0xEF, 0x40])
_BUSY_AND_LATCH = 0x03
_SFDP_TABLE = 0x30


def _sfdp(size: int) -> bytes:
    """A table of one parameter header: erase by 4 KiB, three-byte addresses, and the density in bits."""
    head = b"SFDP" + bytes([6, 1, 0, 0xFF]) + bytes([0, 6, 1, 2, _SFDP_TABLE, 0, 0, 0xFF])
    return head.ljust(_SFDP_TABLE, b"\xff") + struct.pack("<II", 0xFFF120E5, size * 8 - 1)


class SpiFlash:
    """Registers of SPI1, and the flash of `size` bytes behind them; `offset` counts from BASE."""

    def __init__(self, size: int = FLASH_SIZE) -> None:
        self._size = size
        #: Status registers 1 to 3 as they are after power-on.
        self._lasting = bytearray(3)
        self.power_on()

    def power_on(self) -> None:
        """The supply rises: what was volatile is gone."""
        self.reset()
        self._reset_flash()

    def reset(self) -> None:
        """EN: the controller starts anew, the flash behind it keeps its supply."""
        self._registers: dict[int, int] = {}

    def _reset_flash(self) -> None:
        self._status = bytearray(self._lasting)
        self._enabled_by = 0
        self._may_reset = False

    def read(self, offset: int) -> int:
        """A register."""
        return self._registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register; a user command is carried out at once, and its bit reads back 0."""
        if offset != CMD:
            self._registers[offset] = value
        elif value & _START:
            self._transfer()

    def _transfer(self) -> None:
        user = self.read(USER)
        sent = b"".join(self.read(offset).to_bytes(4, "little") for offset in _BUFFER)
        sent = sent[: self._length(MOSI_DLEN)] if user & _HAS_MOSI else b""
        answer = self._command(self.read(USER2) & 0xFF, sent)
        if user & _HAS_MISO:
            length = self._length(MISO_DLEN)
            got = answer[:length].ljust(length, b"\xff").ljust(64, b"\0")
            for at, offset in zip(range(0, -(-length // 4) * 4, 4), _BUFFER, strict=False):
                self._registers[offset] = int.from_bytes(got[at : at + 4], "little")

    def _length(self, register: int) -> int:
        bits = (self.read(register) & 0x1FF) + 1
        return min(bits // 8, 64)

    def _command(self, code: int, sent: bytes) -> bytes:
        """What the flash answers; the line stays high when it says nothing."""
        may_reset, self._may_reset = self._may_reset, code == ENABLE_RESET
        if code == READ_ID:
            return MAKER + bytes([self._size.bit_length() - 1])
        if code == READ_SFDP:
            return _sfdp(self._size)[self.read(ADDR) >> 8 :]
        if code in READ_STATUS:
            latch = 2 if self._enabled_by == WRITE_ENABLE and code == READ_STATUS[0] else 0
            return bytes([self._status[READ_STATUS.index(code)] | latch])
        if code in (WRITE_ENABLE, WRITE_ENABLE_VOLATILE, WRITE_DISABLE):
            self._enabled_by = code if code != WRITE_DISABLE else 0
        elif code in WRITE_STATUS and self._enabled_by:
            self._write_status(WRITE_STATUS.index(code), sent)
        elif code == SOFT_RESET and may_reset:
            self._reset_flash()
        return b""

    def _write_status(self, first: int, sent: bytes) -> None:
        for index, value in enumerate(sent, first):
            if index < len(self._status):
                self._status[index] = value & ~_BUSY_AND_LATCH if index == 0 else value
        if self._enabled_by == WRITE_ENABLE:
            self._lasting[:] = self._status
        self._enabled_by = 0
