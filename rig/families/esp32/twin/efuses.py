"""The eFuses of an ESP32: bits that are burned once and never go back, and the controller that burns and reads them.

Facts: esptool's targets/esp32.py and espefuse/efuse/esp32.
"""

from __future__ import annotations

from collections.abc import Callable

from rig.errors import Misuse

BASE = 0x3FF5A000
#: Words of block 0 and of blocks 1 to 3; where their read and write registers begin.
BLOCKS = ((7, 0x00, 0x1C), (8, 0x38, 0x98), (8, 0x58, 0xB8), (8, 0x78, 0xD8))
SIZE = 4 * sum(words for words, _read, _write in BLOCKS)
CLOCK, CONF, COMMAND, DAC = 0xF8, 0xFC, 0x104, 0x118
#: CONF says what COMMAND is meant to be: (CONF, COMMAND).
_BURN, _READ = (0x5A5A, 2), (0x5AA5, 1)


class Efuses:
    """31 words in four blocks; `on_burn` is called when bits have been burned."""

    def __init__(self, contents: bytes = bytes(SIZE)):
        """`contents` are the words block by block. Raises Misuse when they are not SIZE bytes."""
        if len(contents) != SIZE:
            raise Misuse(f"eFuse contents are {len(contents)} bytes, an ESP32 has {SIZE}")
        self._blocks: list[list[int]] = []
        for words, _read, _write in BLOCKS:
            self._blocks.append([int.from_bytes(contents[4 * n : 4 * n + 4], "little") for n in range(words)])
            contents = contents[4 * words :]
        self.on_burn: Callable[[], None] = lambda: None
        self.reset()

    @property
    def contents(self) -> bytes:
        """The burned words, block by block: what survives everything."""
        return b"".join(word.to_bytes(4, "little") for block in self._blocks for word in block)

    def word(self, block: int, index: int) -> int:
        """A burned word."""
        return self._blocks[block][index]

    def burn(self, block: int, index: int, bits: int) -> None:
        """Burn bits of a word, as the controller does: a block that is protected stays as it is (block 0 never is)."""
        self._burn({(block, index): bits})

    def reset(self) -> None:
        """The chip starts: what is burned can be read, and nothing waits to be burned."""
        self._written: dict[tuple[int, int], int] = {}
        self._registers: dict[int, int] = {}
        self._shown = [list(block) for block in self._blocks]

    def read(self, offset: int) -> int:
        """A register of the controller."""
        for block, (words, read, write) in enumerate(BLOCKS):
            if read <= offset < read + 4 * words:
                return self._readable(block, (offset - read) // 4)
            if write <= offset < write + 4 * words:
                return self._written.get((block, (offset - write) // 4), 0)
        return self._registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register of the controller; COMMAND is done at once and reads back 0."""
        for block, (words, _read, write) in enumerate(BLOCKS):
            if write <= offset < write + 4 * words:
                self._written[block, (offset - write) // 4] = value
        if offset in (CLOCK, CONF, DAC):
            self._registers[offset] = value
        if offset == COMMAND:
            command = (self._registers.get(CONF, 0), value)
            if command == _BURN:
                self._burn(self._written)
            elif command == _READ:
                self._shown = [list(words) for words in self._blocks]

    def _burn(self, bits: dict[tuple[int, int], int]) -> None:
        before = self.contents
        protected = self._blocks[0][0]
        for (block, index), value in bits.items():
            if block == 0 or not protected >> 6 + block & 1:
                self._blocks[block][index] |= value
        if self.contents != before:
            self.on_burn()

    def _readable(self, block: int, index: int) -> int:
        """What the read registers show; a key that may not be read is zero."""
        hidden = block > 0 and self._shown[0][0] >> 15 + block & 1
        return 0 if hidden else self._shown[block][index]
