"""Backup registers that keep what they hold when the supply falls, as behind a battery at the chip's VBAT.

A Core has none there: its registers are lost. They are one more memory to a sweep, a word each, and writing one is an
operation before which power can go away; it is too short to be torn (reference §2.3).
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.sweep.written_over import WrittenOver
from rig.families.spark_core.twin.app.application import HEALTHY
from rig.families.spark_core.twin.memory import CoreMemory

#: BKP_DR1 of an STM32F103; one register follows the other, a word each.
ADDRESS, WORD, COUNT = 0x4000_6C04, 4, 10
REGISTER, SECONDS = "register", 1e-6


class KeptMemory(CoreMemory):
    """A Core's memories, its backup registers among them."""

    def __init__(self) -> None:
        super().__init__()
        self.registers = WrittenOver(base=ADDRESS, page=WORD, pages=COUNT, kind=REGISTER)
        self.registers.load(bytes(WORD * COUNT))
        self.nors = [self.internal, self.external, self.registers]
        self.seconds = {**self.seconds, REGISTER: SECONDS}

    def backup_registers(self) -> MutableMapping[int, int]:
        """As they were when the supply fell."""
        return _Kept(self)


def with_registers(memory: CoreMemory) -> KeptMemory:
    """The same flash, and registers as an application that was healthy has left them."""
    kept = KeptMemory()
    kept.internal.take_over(memory.internal)
    kept.external.take_over(memory.external)
    asked = SystemFlags.unpack(memory.flags16()).ota
    for number, value in ((1, HEALTHY), (10, asked)):
        kept.registers.pages[number - 1] = value.to_bytes(WORD, "little")
    return kept


class _Kept(MutableMapping[int, int]):
    """The registers by number, as a program reads and writes them."""

    def __init__(self, memory: KeptMemory):
        self._memory = memory

    def __getitem__(self, number: int) -> int:
        return int.from_bytes(self._memory.registers.read(_address(number), WORD), "little")

    def __setitem__(self, number: int, value: int) -> None:
        run = self._memory.registers.programming(_address(number), value.to_bytes(WORD, "little"))
        self._memory.perform(self._memory.enter(run), 0, 1)

    def __delitem__(self, number: int) -> None:
        raise TypeError("a register is always there")

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, COUNT + 1))

    def __len__(self) -> int:
        return COUNT


def _address(number: int) -> int:
    return ADDRESS + (number - 1) * WORD
