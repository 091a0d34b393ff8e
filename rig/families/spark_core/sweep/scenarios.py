"""Scenarios of a Core: a path, a generation of bootloader, and images."""

from __future__ import annotations

from collections.abc import Mapping

from rig.errors import Misuse
from rig.families.spark_core.formats.flash import GENERATIONS
from rig.families.spark_core.sweep.deep_update import ROLE
from rig.families.spark_core.sweep.documented import documented
from rig.families.spark_core.sweep.kept_registers import with_registers
from rig.families.spark_core.sweep.paths import CORE_SWEEPS, phase_of
from rig.families.spark_core.sweep.start import ColdStart
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.firmware.manifest import Image
from rig.firmware.roles import OUTCOME_ROLES
from rig.sweep.discoveries import Documented
from rig.sweep.scenario import Scenario, Update, checked

#: What happens to backup registers when the supply falls: a Core has no battery for them.
REGISTERS, LOST, KEPT = "backup-registers", "lost", "kept"


class CoreSweeps:
    """As rig.sweep.family asks for."""

    paths: Mapping[str, str] = {name: path.title for name, path in CORE_SWEEPS.items()}

    def roles(self, path: str) -> frozenset[str]:
        """What may lie on the board, and what patches its radio where that is done."""
        return frozenset({*OUTCOME_ROLES, *({ROLE} if CORE_SWEEPS[path].starts is not ColdStart else ())})

    def choices(self, path: str) -> Mapping[str, tuple[str, ...]]:
        """The bootloader, and the system firmware where that does the work."""
        swept = CORE_SWEEPS[path]
        choices: dict[str, tuple[str, ...]] = {"generation": ("b", *(name for name in GENERATIONS if name != "b"))}
        if swept.starts is ColdStart:
            choices[REGISTERS] = (LOST, KEPT)
        return {**choices, "system": swept.systems} if swept.systems else choices

    def documented(self, path: str, choices: Mapping[str, str]) -> Documented:
        """The reference's cut table, which is of registers that are lost."""
        return documented(path, choices["generation"]) if choices.get(REGISTERS) != KEPT else {}

    def scenario(self, path: str, choices: Mapping[str, str], images: Mapping[str, Image]) -> Scenario:
        """Perform the update once. Raises Misuse where an image is missing that the path needs."""
        if missing := {"old", "new"} - set(images):
            raise Misuse(f"a sweep needs an image that plays {min(missing)}", hint="--old FILE --new FILE")
        swept, generation = CORE_SWEEPS[path], choices["generation"]
        start = swept.starts.of(generation, images)
        memory = swept.before(images)
        if choices.get(REGISTERS) == KEPT:
            memory = with_registers(memory)
        before = memory.snapshot()
        core = start.core(memory)
        if "system" in choices:
            core.dialect = Dialect.of(choices["system"])
        swept.work(core, images)
        runs = tuple(memory.journal.runs)
        return Scenario(
            kind="spark-core",
            memory=type(memory),
            update=checked(Update(before, runs, tuple(map(phase_of, runs)))),
            start=start,
        )
