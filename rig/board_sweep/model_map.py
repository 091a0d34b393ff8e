"""The model's map beside a board: which cuts of the model a landing can be, and how the model says that they end.

A trial reads a landing off flash. Here it reads those of the model's cuts off the model's flash, by the same code: the
ones that it takes for the board's landing are those that the board may have met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from rig.boards.board import Contents
from rig.campaign.trial import Trial
from rig.errors import Misuse
from rig.firmware.manifest import Image
from rig.power.landing import OUTSIDE, Landing
from rig.recovery.ladder import Outcome
from rig.sweep.brick_map import BY_ITSELF, Duration
from rig.sweep.capsule import Capsule
from rig.sweep.cut_points import BEFORE, TEARS, Flash, contents_at, tears_of
from rig.sweep.family import checked_choices, sweeps_of
from rig.sweep.plan import SweepPlan
from rig.sweep.scenario import Settled
from rig.sweep.spans import Span
from rig.sweep.sweep import ModelSweep

#: Where in a run of operations a landing is looked for that tells its phase: the rest of one may leave no trace.
_PROBED = (0.5, 0.05, 0.0)
#: An operation of the model's update, and how it is left.
Cut = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Possible:
    """One cut of the model that a landing can be, and how it ends there."""

    cut: Cut
    settled: Settled


@dataclass(frozen=True, slots=True)
class Target:
    """A phase, a position in it from 0 to 1, and how the model says that a cut there ends."""

    phase: str
    position: float
    settled: Settled


class ModelMap:
    """Of one path, with the choices and images of a board."""

    def __init__(self, plan: SweepPlan, spans: Sequence[Span], begins: str | None = None):
        """`spans` are what a sweep of the plan has found; trials begin with the model's phase `begins`, None the first.

        What the model does before that brings a board into its readback mode, where a trial finds it.
        """
        scenario = plan.scenario()
        self.plan, self._update, self._spans = plan, scenario.update, spans
        self._memory = scenario.memory()
        self._flash = Flash(scenario.memory(), self._update, plan.seed)
        runs = zip(self._update.phases, self._update.runs, strict=True)
        begin = next((run.first for phase, run in runs if begins in (phase, None)), 0)
        self._before = contents_at(self._flash, self._update, begin, BEFORE)
        #: What a trial can cut.
        self._runs = [run for run in self._update.runs if run.first >= begin]

    @classmethod
    def swept(cls, plan: SweepPlan, begins: str | None = None) -> ModelMap:
        """That of a plan, swept by one process: gRPC's threads are not for forks. Raises LabFault."""
        sweep = ModelSweep(plan)
        for _ in sweep.run(jobs=1):
            pass
        return cls(plan, sweep.progress.spans, begins)

    def possible(self, landing: Landing, trial: Trial[Any]) -> list[Possible]:
        """The cuts of the model that a landing of this trial can be, in order."""
        stretches = trial.landing_stretches
        before = self._contents(self._before, stretches)
        found = []
        for k, tear in self._near(landing.address):
            left = self._contents(contents_at(self._flash, self._update, k, tear), stretches)
            if _is_same(trial.locate(before, left), landing):
                found.append(Possible((k, tear), self._settled(k, tear)))
        return found

    def target(self, cut: Cut, trials: Mapping[str, Trial[Any]]) -> Target:
        """Where a cut of the model is to be aimed at; `trials` are some, by the phases that a relay can hit.

        Raises Misuse for a cut in none of them.
        """
        k, tear = cut
        duration = Duration(self._update, self._memory.seconds)
        for phase, trial in trials.items():
            stretches = list(self._stretches_of(phase, trial))
            if any(begin <= k < end for begin, end in stretches):
                whole = sum(duration.of(begin, end) for begin, end in stretches)
                before = sum(duration.of(begin, min(end, k)) for begin, end in stretches if begin < k)
                return Target(phase, before / whole if whole else 0.0, self._settled(k, tear))
        raise Misuse(f"no relay can aim at operation {k}", hint=f"only at {', '.join(trials)} of this path")

    def capsule(self, possible: Possible) -> str:
        """The line that does one of them again."""
        return str(Capsule.of(self.plan, (possible.cut,), possible.settled))

    def changes(self, phase: str, trial: Trial[Any]) -> list[float]:
        """Positions in a phase at which the model's outcome changes: 0 where the phase begins, 1 where it ends."""
        duration = Duration(self._update, self._memory.seconds)
        stretches = list(self._stretches_of(phase, trial))
        whole = sum(duration.of(begin, end) for begin, end in stretches)
        found, before = set[float](), 0.0
        for begin, end in stretches:
            for span in self._spans:
                if begin <= span.first < end and whole:
                    found.add((before + duration.of(begin, span.first)) / whole)
            before += duration.of(begin, end)
        return sorted(found)

    def _stretches_of(self, phase: str, trial: Trial[Any]) -> Iterator[tuple[int, int]]:
        """Operations that a landing in a phase can interrupt, run by run; a trial that was not made yet tells."""
        before = self._contents(self._before, trial.landing_stretches)
        for run in self._runs:
            for part, tear in product(_PROBED, tears_of(run, TEARS)):
                left = contents_at(self._flash, self._update, run.first + int(part * run.count), tear)
                landing = trial.locate(before, self._contents(left, trial.landing_stretches))
                if landing.landed:
                    if landing.phase == phase:
                        yield run.first, run.first + run.count
                    break

    def _near(self, address: int | None) -> Iterator[Cut]:
        """Cuts at and beside an address; where a landing has none, at the ends of every run of operations."""
        numbers: set[int] = {self._update.operations}
        for run in self._runs:
            last = run.first + run.count - 1
            if address is None:
                numbers |= {run.first, last}
            elif -run.unit <= address - run.address <= run.unit * run.count:
                at = run.first + (address - run.address) // run.unit
                numbers |= {k for k in (at - 1, at, at + 1) if run.first <= k <= last + 1}
        for k in sorted(numbers):
            yield k, BEFORE
            if k < self._update.operations:
                yield from ((k, tear) for tear in tears_of(self._update.runs[self._update.run_of(k)], TEARS))

    def _settled(self, k: int, tear: str) -> Settled:
        return next(span.settled for span in self._spans if span.tear == tear and span.first <= k <= span.last)

    def _contents(self, contents: Any, stretches: tuple[tuple[int, int], ...]) -> Contents:
        """Stretches of flash as a board's reader would hand them out."""
        found = {}
        for address, length in stretches:
            part, nor = next((part, nor) for part, nor in enumerate(self._memory.nors) if address in nor)
            first, offset = divmod(address - nor.base, nor.page)
            pages = contents[part][first : first + (offset + length - 1) // nor.page + 1]
            found[address] = b"".join(pages)[offset : offset + length]
        return found


def plan_of(kind: str, path: str, choices: Mapping[str, str], roles: Mapping[str, Image]) -> SweepPlan | None:
    """The model's sweep of what a board does; None where the model has no such path, or no board that was built so."""
    sweeps = sweeps_of(kind)
    if path not in sweeps.paths:
        return None
    offered = sweeps.choices(path)
    told = {name: value for name, value in choices.items() if name in offered}
    if any(value not in offered[name] for name, value in told.items()):
        return None
    images = {role: image for role, image in roles.items() if role in sweeps.roles(path)}
    return SweepPlan(kind, path, checked_choices(sweeps, kind, path, told), images, TEARS)


def agrees(outcome: Outcome, settled: Settled) -> bool:
    """Whether a board became what the model says: the same image by itself, or alive again by the same rung."""
    if settled.rung == BY_ITSELF:
        return outcome.by_itself and outcome.image == settled.became
    return outcome.rung == settled.rung


def _is_same(found: Landing, landing: Landing) -> bool:
    """Whether a landing on the model can be that of a board; outside of the update are its begin and its end."""
    return found.phase == landing.phase and (found.phase != OUTSIDE or found.detail == landing.detail)


def nearest(possible: list[Possible], landing: Landing) -> Possible | None:
    """The one that stands for all of them: the first with an operation under way, where one was interrupted."""
    torn = [one for one in possible if one.cut[1] != BEFORE] if landing.phase != OUTSIDE else []
    return next(iter(torn or possible), None)
