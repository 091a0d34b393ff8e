"""Landings of cuts in a bootloader's copy, told by flash alone, against the journal of the model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.power.copy_landing import Copy
from rig.families.spark_core.twin.core import Core
from rig.twin.tears import ERASE_TEARS, PROGRAM_TEARS, named_tear
from tests.rig.families.spark_core.twin.models import CATALOGUE, MANIFEST, shipped_memory
from tests.rig.families.spark_core.twin.test_cut_table import button_held, cold_start, fuse_at_power_on

FULL = MANIFEST.image("core-full").data
COMMON_TEARS = sorted(set(ERASE_TEARS) & set(PROGRAM_TEARS))


def core_with(kind: str, generation: str) -> Core:
    """A Core whose slot is full; for an OTA copy it is marked as ready."""
    memory = shipped_memory()
    slot = layout.OTA_ADDRESS if kind == "ota" else layout.FACTORY_ADDRESS
    external = bytearray(memory.external.dump())
    external[slot : slot + len(FULL)] = FULL
    memory.external.load(bytes(external))
    if kind == "ota":
        memory.internal.perform(memory.internal.erasing(layout.FLAGS_ADDRESS), 0, 1)
        flags = SystemFlags(nvmem=0, ota=layout.OTA_READY, flashed=0).pack()
        memory.internal.perform(memory.internal.programming(layout.FLAGS_ADDRESS, flags), 0, 5)
    return Core(memory, CATALOGUE.identify, generation=generation)


def start(kind: str, core: Core) -> None:
    (cold_start if kind == "ota" else button_held)(core)


def flash(core: Core) -> tuple[bytes, bytes, bytes]:
    memory = core.memory
    return memory.app(), memory.flags16()[:10], memory.external.read(layout.BACKUP_ADDRESS, layout.APP_SIZE)


def whole_journal(kind, generation):
    core = core_with(kind, generation)
    start(kind, core)
    return core.memory.journal


JOURNALS = {(kind, g): whole_journal(kind, g) for kind in ("ota", "button") for g in "ab"}


def cut_at(kind, generation, k, tear):
    core = core_with(kind, generation)
    before, flags, backup = flash(core)
    fuse_at_power_on(core, k, tear)
    start(kind, core)
    assert not core.powered
    return Copy(before, flags, backup, FULL).locate(*flash(core))


def agrees(truth, landing) -> bool:
    """Whether a landing is as near to the truth as flash can tell."""
    in_flags = layout.FLAGS_ADDRESS <= truth.address < layout.APP_ADDRESS
    if landing.phase in ("commit", "mark", "commit-tail"):
        return in_flags or (landing.known_by == "inferred" and truth.kind == "prog")
    if landing.phase == "backup":
        far = layout.EXTERNAL_SECTOR if truth.kind == "xerase" else 64
        near = landing.address is None or abs(landing.address - truth.address) <= far
        return (truth.kind.startswith("x") and near) or (landing.known_by == "inferred" and in_flags)
    if landing.phase == "outside":  # of the flags, nvmem and ota alone tell that a copy has begun
        return truth.first == 0 or truth.kind == "xerase" or truth.address >= layout.FLAGS_ADDRESS + 6
    if landing.known_by == "inferred":
        return truth.kind in ("erase", "prog")
    if landing.phase == "erase":
        return truth.kind == "erase" and abs(landing.address - truth.address) <= layout.INTERNAL_PAGE
    return truth.kind == "prog" and abs(landing.address - truth.address) <= 4


@settings(max_examples=120, deadline=None)
@given(
    case=st.sampled_from(sorted(JOURNALS)), share=st.floats(0, 0.9999), seed=st.integers(0, 99),
    tear=st.sampled_from([None, *COMMON_TEARS]),
)  # fmt: skip
def test_a_cut_anywhere_in_a_copy_is_located(case, share, seed, tear):
    kind, generation = case
    journal = JOURNALS[case]
    k = int(share * (journal.next - 1))
    landing = cut_at(kind, generation, k, named_tear(tear, seed) if tear else None)
    truth = journal.operation(k)
    assert agrees(truth, landing), (case, k, truth.kind, hex(truth.address), landing)


@pytest.mark.parametrize("generation", "ab")
def test_each_phase_of_an_ota_copy_is_told_by_its_name(generation):
    runs = [run for run in JOURNALS["ota", generation].runs if run.kind != "byte"]
    names = {}
    for run in runs:
        landing = cut_at("ota", generation, run.first + min(run.count // 3, 4) + (run.kind == "xprog") * 2000, None)
        names[run.kind, run.address] = (landing.phase, landing.known_by)
    assert names["xprog", layout.BACKUP_ADDRESS] == ("backup", "read-back")
    assert names["erase", layout.APP_ADDRESS] == ("erase", "read-back")
    assert names["prog", layout.APP_ADDRESS] == ("program", "read-back")


def test_a_copy_whose_pages_are_all_erased_lands_before_its_first_write():
    """What lies behind the image in its slot is blank, and so are pages that are written with it."""
    image, blank = FULL[: layout.APP_SIZE // 2].ljust(layout.APP_SIZE, b"\xff"), b"\xff" * layout.APP_SIZE
    copying = SystemFlags(nvmem=0, ota=layout.OTA_COPYING, flashed=0).pack()
    landing = Copy(FULL, copying, FULL, image).locate(blank, copying, FULL)
    assert (landing.phase, landing.address, landing.known_by) == ("program", layout.APP_ADDRESS, "inferred")
