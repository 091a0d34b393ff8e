"""Rows of the reference's cut table (§4.2): where an update is cut, and what a board has in otadata afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rig.families.esp32.formats.otadata import RECORD_SIZE, SIZE, Record, State, read_records
from rig.families.esp32.formats.partition_table import TABLE_OFFSET, TABLE_SIZE, PartitionTable
from rig.families.esp32.twin.memory import Esp32Memory
from rig.sweep.cut_points import BEFORE, TEARS, Flash, contents_at, tears_of
from rig.sweep.scenario import Scenario, Update
from rig.twin.memory import Contents

Cut = tuple[int, str]
#: A record that chooses nothing: blank, torn, or given up is told by its state.
LOST = "lost"


def before(phase: str) -> Callable[[Update], Iterator[Cut]]:
    """Nothing of a phase was done."""

    def cuts(update: Update) -> Iterator[Cut]:
        yield update.runs[update.phases.index(phase)].first, BEFORE

    return cuts


def within(phase: str, *kinds: str) -> Callable[[Update], Iterator[Cut]]:
    """Some of a phase was done, and not all: operations of these kinds half done, and what lies between them.

    Of a phase of hundreds it is one in thirty: that all of them end alike is shown by the sweep.
    """

    def cuts(update: Update) -> Iterator[Cut]:
        runs = [run for run, of in zip(update.runs, update.phases, strict=True) if of == phase]
        chosen = [
            (k, run) for run in runs if not kinds or run.kind in kinds for k in range(run.first, run.first + run.count)
        ]
        for k, run in chosen[:: 30 if len(chosen) > 100 else 1]:
            if k > runs[0].first:
                yield k, BEFORE
            yield from ((k, tear) for tear in tears_of(run, TEARS))

    return cuts


def torn(k: int) -> Callable[[Update], Iterator[Cut]]:
    """Operation `k` is half done, in every way."""
    return lambda update: ((k, tear) for tear in tears_of(update.runs[update.run_of(k)], TEARS))


def not_yet(k: int) -> Callable[[Update], Iterator[Cut]]:
    """What comes before operation `k` is done."""
    return lambda _update: iter([(k, BEFORE)])


def the_end(update: Update) -> Iterator[Cut]:
    """Everything was done."""
    yield update.operations, BEFORE


def started(scenario: Scenario, contents: Contents) -> tuple[str, str, str]:
    """What a board becomes that starts with these contents, and what its two records say then."""
    memory = Esp32Memory()
    memory.restore(contents)
    became = scenario.start(memory).became
    return (became, *(_state(record) for record in records(memory)))


def after(scenario: Scenario, cut: Cut) -> tuple[str, str, str]:
    """The same after a cut."""
    return started(scenario, contents_at(Flash(Esp32Memory(), scenario.update, 0), scenario.update, *cut))


def torn_record(scenario: Scenario, phase: str, state: bytes) -> Contents:
    """A record is written, its state last and not whole: orderly programming never leaves that, a part may (row 7)."""
    update = scenario.update
    (run,) = (run for run, of in zip(update.runs, update.phases, strict=True) if (of, run.kind) == (phase, "program"))
    memory = Esp32Memory()
    memory.restore(contents_at(Flash(Esp32Memory(), update, 0), update, run.first, BEFORE))
    memory.flash.tear(run, lambda _kind, _old, new: new[:24] + state + new[28:RECORD_SIZE])
    return memory.snapshot()


def records(memory: Esp32Memory) -> tuple[Record, Record]:
    table = PartitionTable.parse(memory.flash.read(TABLE_OFFSET, TABLE_SIZE))
    assert table.otadata is not None
    return read_records(memory.flash.read(table.otadata.offset, SIZE))


def _state(record: Record) -> str:
    if record.initial:
        return LOST
    return State(record.state).name if record.state in list(State) else f"{record.state:08x}"
