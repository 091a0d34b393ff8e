"""Boards, benches and lines that are made up: what a sweep of boards does with them needs no board."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from rig.board_sweep.model_map import ModelMap, plan_of
from rig.board_sweep.stratum import Fell, Stratum, Swept
from rig.board_sweep.tally import CONTROL, SWEPT, Tally
from rig.families.spark_core.boards.timing import Timing
from rig.family.contract import family_of
from rig.power.landing import Landing
from rig.recovery.ladder import Outcome
from rig.sweep.cut_points import Flash, contents_at
from rig.sweep.plan import SweepPlan
from tests.rig.sweep.plans import MANIFEST

PROGRAM = Stratum("model", "spark-core", "generation=b", "dfu", "program")
ERASE = PROGRAM._replace(phase="erase")
GENERATION = {"generation": "b"}
SELF, STRANDED = Outcome("old", "self", 1.0, ""), Outcome("none", "reflash", 9.0, "")


def swept(number: int, fell: Fell = Fell.LANDED, *, stratum: Stratum = PROGRAM, place: str = "core-01", **how) -> Swept:
    """One cut, as a ledger would have it."""
    return Swept(number, stratum, place, 0.5, fell, **how)


def line_of(cut: Swept) -> dict:
    return {"kind": SWEPT, **cut.to_dict()}


def control(*, passed: bool, place: str = "core-01") -> dict:
    return {"kind": CONTROL, "place": place, "passed": passed, "reason": "" if passed else "landed in outside"}


def tally_of(*lines: dict | Swept) -> Tally:
    tally = Tally()
    for line in lines:
        tally.add(line if isinstance(line, dict) else line_of(line))
    return tally


@cache
def core_map(path: str, generation: str = "b") -> ModelMap:
    """The model's map of a Core's path, with the images that every run has."""
    plan = plan_of("spark-core", path, {"generation": generation}, core_roles(path))
    return ModelMap.swept(plan, core_path(path).begins)


def core_roles(path: str) -> dict:
    return core_path(path).roles_of(MANIFEST.roles("spark-core"))


def core_path(path: str):
    return family_of("spark-core").campaign.board_sweeps.paths[path]


def core_trial(path: str, phase: str, generation: str = "b"):
    tags = {"generation": generation}
    board = SimpleNamespace(tags=tags, timing=Timing.from_tags(tags))
    return core_path(path).phases[phase](0.5, board, core_roles(path))


class ModelBoard:
    """A board that is the model of a plan: cut where somebody says, read back, started.

    Its trials begin with the model's phase `begins`.
    """

    def __init__(self, plan: SweepPlan, begins: str | None = None):
        self._begins, self._scenario = begins, plan.scenario()

    @property
    def operations(self) -> int:
        return self._scenario.update.operations

    @property
    def begin(self) -> int:
        """The first operation of a trial: what is before it brings the board into its readback mode."""
        runs = zip(self._scenario.update.phases, self._scenario.update.runs, strict=True)
        return next(run.first for phase, run in runs if self._begins in (phase, None))

    def cut(self, trial, k: int, tear: str) -> tuple[Landing, Outcome]:
        """Where the cut fell by what flash shows, and what the board became."""
        scenario, flash = self._scenario, Flash(self._scenario.memory(), self._scenario.update, 0)
        before = contents_at(flash, scenario.update, self.begin, "before")
        left = contents_at(flash, scenario.update, k, tear)
        landing = trial.locate(self._read(before, trial), self._read(left, trial))
        memory = scenario.memory()
        memory.restore(left)
        became, rung = scenario.start(memory)
        return landing, Outcome(became if rung == "self" else "none", rung, 1.0, "")

    def _read(self, contents, trial):
        memory = self._scenario.memory()
        memory.restore(contents)
        found = {}
        for address, length in trial.landing_stretches:
            nor = next(nor for nor in memory.nors if address in nor)
            found[address] = nor.dump()[address - nor.base :][:length]
        return found


def model_core(path: str, generation: str) -> ModelBoard:
    """A Core; its bootloader may be another one than a map's."""
    plan = plan_of("spark-core", path, {"generation": generation}, core_roles(path))
    return ModelBoard(plan, core_path(path).begins)


class MadeUpBench:
    """A bench whose next cuts land and end as they are told; an error is raised."""

    def __init__(self, *results):
        tags = {"relay_ms": "8", **GENERATION}
        self.board = SimpleNamespace(name="core-01", tags=tags, timing=Timing.from_tags(tags))
        self.roles = MANIFEST.roles("spark-core")
        self.timeline = None
        self.made: list = []
        self._results = list(results)

    def run(self, trial, *, lead_ms=0.0):
        self.made.append((trial, lead_ms))
        result = self._results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def result_of(landing: Landing, outcome: Outcome = SELF, took_ms: float = 8.0):
    line = {"capsule": "the board's", "trial": "1"}
    return SimpleNamespace(landing=landing, outcome=outcome, took_ms=took_ms, line=line)
