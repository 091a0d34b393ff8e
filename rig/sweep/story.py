"""What a board did around a cut, line by line: operations of flash, and what its start asked and was answered."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from rig.sweep.capsule import Cuts
from rig.sweep.cut_points import BEFORE, Flash, contents_at
from rig.sweep.replay import recovery_from
from rig.sweep.scenario import Scenario, Update
from rig.twin.flash import Run
from rig.twin.footprint import Footprint, Question, contents
from rig.twin.memory import Contents, Memory

#: Letters of an answer that are shown.
_LONGEST = 60


def story(scenario: Scenario, cuts: Cuts, seed: int) -> Iterator[str]:
    """All of it, up to how the board settles. The cuts are known to be ones of this scenario."""
    update, what = scenario.update, "the update"
    for number, (k, tear) in enumerate(cuts, 1):
        yield f"{what}:"
        yield from _performed(update, k)
        run = update.runs[update.run_of(k)] if k < update.operations else None
        where = f", {run.kind} at {run.operation(k).address:#x}" if run is not None else ", behind the last one"
        yield f"cut {number}: {'before' if tear == BEFORE else f'in ({tear})'} operation {k:,}{where}"
        left = contents_at(Flash(scenario.memory(), update, seed), update, k, tear)
        if number < len(cuts):
            update, what = recovery_from(scenario, left), "the start after it"
    yield "the start after it:"
    yield from _start(scenario, left)


def _performed(update: Update, k: int) -> Iterator[str]:
    for run, phase in zip(update.runs, update.phases, strict=True):
        if run.first <= k:
            yield f"  {phase}: {_operations(run, min(run.count, k - run.first))}"


def _operations(run: Run, done: int) -> str:
    size = f"{run.unit:,} bytes" if run.unit > 1 else "one byte"
    return f"{run.kind} from {run.address:#x}, {done:,} of {run.count:,}, {size} each"


def _start(scenario: Scenario, left: Contents) -> Iterator[str]:
    memory, lines = scenario.memory(), list[str]()
    memory.restore(left)
    footprint = memory.trace()
    _tell(memory, footprint, lines)
    settled = scenario.start(memory)
    yield from lines
    yield f"settled: {settled.became}, healed by {settled.rung}"


def _tell(memory: Memory, footprint: Footprint, lines: list[str]) -> None:
    """Write down each question and each run as it comes."""
    ask, enter = footprint.enter, memory.enter

    def asked(question: Question, answer: Hashable) -> None:
        ask(question, answer)
        lines.append(f"  asks {_question(memory, question)}: {_short(question, answer)}")

    def entered(run: Run) -> Run:
        run = enter(run)
        lines.append(f"  does {_operations(run, run.count)}")
        return run

    footprint.enter = asked  # type: ignore[method-assign]
    memory.enter = entered  # type: ignore[method-assign]


def _question(memory: Memory, question: Question) -> str:
    nor = memory.nors[question.part]
    begin, end = nor.base + question.first * nor.page, nor.base + question.last * nor.page
    asked = getattr(question.ask, "__name__", "something").strip("_").replace("_", " ")
    name = "all" if question.ask is contents else asked
    return f"{name} of {begin:#x} to {end:#x}"


def _short(question: Question, answer: object) -> str:
    if question.ask is contents and isinstance(answer, Sequence):
        begin = bytes(answer[0][:16])
        return "blank" if all(page == b"\xff" * len(page) for page in answer) else f"{begin.hex(' ')} …"
    text = repr(answer)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
