"""Every cut beside those that a run has made: the usual path of each kind of board, swept on the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rig.errors import LabFault, RigError
from rig.evidence.every_cut import EveryCut
from rig.evidence.results import LAB_FAULT, TestResult
from rig.firmware.manifest import Manifest
from rig.sweep.cut_points import TEARS
from rig.sweep.family import sweeps_of
from rig.sweep.kept_sweep import MAP, KeptSweep
from rig.sweep.plan import images_of
from rig.sweep.plans import plans_of
from rig.sweep.workers import ThisMachine

#: Where in a report folder the sweeps are, and how many boards each starts to prove itself.
FOLDER, PROOF = "model", 200


def kinds_cut(results: Iterable[TestResult]) -> list[str]:
    """Kinds of boards of which a cut has landed."""
    return sorted({result.properties["board"] for result in results if "hit_rate" in result.properties})


def sweep_usual_path(kind: str, firmware: Manifest, folder: Path) -> EveryCut | None:
    """Sweep the first path that a kind names, with the usual choices; None where it has none. Raises RigError."""
    sweeps = sweeps_of(kind)
    if not sweeps.paths:
        return None
    (plan,) = plans_of(kind, next(iter(sweeps.paths)), {}, images_of(kind, firmware), TEARS, 0)
    where = Path(FOLDER, f"{kind}-{plan.path}")
    sweep = KeptSweep(plan, ThisMachine(1), folder / where, resume=False)
    for _ in sweep.results():
        pass
    sweep.whole.prove(PROOF)
    sweep.draw()
    progress = sweep.whole.progress
    stranded = sum(count for settled, count in progress.count().items() if settled.rung != "self")
    chosen = ", ".join(f"{name} {value}" for name, value in plan.choices.items())
    return EveryCut(kind, plan.path, chosen, progress.points, progress.starts, stranded, str(where / MAP))


def sweep_kinds(
    results: list[TestResult], firmware: Manifest, folder: Path, tell: Callable[[str], None]
) -> tuple[list[EveryCut], list[TestResult]]:
    """The sweeps of all kinds of boards that were cut, and the lab faults that they found.

    Where firmware has no images for it, that is told.
    """
    swept, faults = list[EveryCut](), list[TestResult]()
    for kind in kinds_cut(results):
        try:
            found = sweep_usual_path(kind, firmware, folder)
        except LabFault as error:
            faults.append(TestResult(f"every cut on the model: {kind}", LAB_FAULT, 0.0, str(error)))
        except RigError as error:
            tell(f"no map of every cut of a {kind}: {error.message}")
        else:
            swept += [found] if found is not None else []
    return swept, faults
