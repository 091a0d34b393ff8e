"""A board small enough to start after every cut: two memories of a few pages, and a start that a seed makes up.

Its start reads, asks, erases, programs and copies as the seed has it, and what it does next depends on what it has seen
so far, as real bootloaders do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from rig.sweep.scenario import Scenario, Settled, Update, checked
from rig.twin.flash import Nor, Run
from rig.twin.memory import Memory

PAGE, PAGES = 16, 6
SECONDS = {"erase": 0.03, "prog": 0.0001, "byte": 0.0001, "xerase": 0.02, "xprog": 0.0001, "xbyte": 0.0001}


class ToyMemory(Memory):
    """An internal memory that refuses to be written twice, and an external one that only clears bits."""

    def __init__(self) -> None:
        internal = Nor(base=0x1000, size=PAGE * PAGES, page=PAGE, unit=2, kinds=("erase", "prog", "byte"), strict=True)
        external = Nor(
            base=0x8000, size=PAGE * PAGES, page=PAGE, unit=2, kinds=("xerase", "xprog", "xbyte"), strict=False
        )
        super().__init__([internal, external], SECONDS)


def first_byte(pages: tuple[bytes, ...]) -> int:
    """Less than all that the pages hold."""
    return pages[0][0]


def parity(pages: tuple[bytes, ...]) -> int:
    """Of all bits: every page counts, and many contents answer the same."""
    return sum(map(int.bit_count, b"".join(pages))) % 2


def start(seed: int, memory: Memory) -> Settled:
    """A cold start: up to eight moves, each drawn from what was seen before it."""
    memory.power_on()
    seen = [seed]
    for _ in range(random.Random(f"moves {seed}").randrange(1, 9)):
        rng = random.Random(repr(seen))
        nor = rng.choice(memory.nors)
        at = nor.base + rng.randrange(PAGES) * PAGE
        move = rng.choice((read, read, ask, erase, program, copy))
        seen.append(move(memory, nor, at, rng))
    return Settled(str(random.Random(repr(seen)).randrange(1 << 30)), "self")


def read(_memory, nor, at, rng):
    return nor.read(at + rng.randrange(PAGE // 2), rng.randrange(1, PAGE))


def ask(_memory, nor, at, rng):
    question = rng.choice((first_byte, parity))
    return nor.ask(question, at, rng.choice((1, PAGE + 1)))


def erase(memory, nor, at, _rng):
    return perform(memory, nor, nor.erasing(at))


def program(memory, nor, at, rng):
    """Where it is not blank, what comes of it depends on what is there: one refuses, one clears bits."""
    nor.error = False
    perform(memory, nor, nor.programming(at, rng.randbytes(4)))
    return nor.error


def copy(memory, nor, at, rng):
    other = memory.nors[0] if nor is memory.nors[1] else memory.nors[1]
    source = other.base + rng.randrange(PAGES) * PAGE
    erase(memory, nor, at, rng)
    nor.error = False
    return perform(memory, nor, nor.copying(at, other, source, PAGE))


def perform(memory, nor, run):
    """Carry out a run, and enter it in the journal."""
    if run.count:
        run = memory.enter(run)
        nor.perform(run, 0, run.count)
    return run.count


def filled(rng: random.Random) -> ToyMemory:
    """Pages that are blank, zero, or hold anything."""
    memory = ToyMemory()
    for nor in memory.nors:
        nor.load(b"".join(rng.choice((b"\xff" * PAGE, bytes(PAGE), rng.randbytes(PAGE))) for _ in range(PAGES)))
    return memory


def toy(seed: int) -> Scenario:
    """An update that a seed makes up, on a board that it makes up, too."""
    rng = random.Random(seed)
    memory = filled(rng)
    before = memory.snapshot()
    memory.power_on()
    for _ in range(rng.randrange(1, 6)):
        nor = rng.choice(memory.nors)
        at = nor.base + rng.randrange(PAGES - 1) * PAGE
        perform(memory, nor, nor.erasing(at, rng.choice((1, 2))))
        if rng.random() < 0.8:
            nor.error = False
            perform(memory, nor, nor.programming(at, rng.randbytes(rng.choice((4, 2 * PAGE)))))
    runs: tuple[Run, ...] = tuple(memory.journal.runs)
    update = checked(Update(before, runs, tuple(run.kind for run in runs)))
    return Scenario("toy", ToyMemory, update, partial(start, seed))


def made_of(start: Callable[[Memory], object], update: Callable[[Sequence[Nor]], Iterable[Run]]) -> Scenario:
    """A board that ends as `start` says, and the runs of its update."""
    memory = filled(random.Random(0))
    before = memory.snapshot()
    memory.power_on()
    for run in update(memory.nors):
        perform(memory, memory.nor(run), run)
    runs = tuple(memory.journal.runs)

    def settle(memory: Memory) -> Settled:
        memory.power_on()
        return Settled(str(start(memory)), "self")

    return Scenario("toy", ToyMemory, checked(Update(before, runs, ("update",) * len(runs))), settle)
