"""The deep update of a Core's radio: by the way its history earns it, with every window cut (reference §8)."""

from __future__ import annotations

import pytest

from rig.clock import poll
from rig.families.spark_core.campaign.deep_update import OVER_THE_AIR, OVER_USB, RADIO_EVENT, run_deep_update
from rig.families.spark_core.campaign.patch_cut import RADIO_LOST, PatchCut, what_it_cost
from rig.families.spark_core.firmware.deep_updates import load_deep_updates
from rig.firmware.checkout import part
from rig.firmware.outcomes import Became
from tests.boards.spark_core.generations import on_generations

PLAN = load_deep_updates(part("firmware-fixtures", "deep-updates.toml"))["cc3000-1.28"]


@pytest.mark.usefixtures("may_destroy")
@on_generations("bc", always="", wifi="joined")
def test_a_deep_update_patches_the_radio_and_tinker_answers_afterwards(bench, image, generation):
    way = {"b": OVER_THE_AIR, "c": OVER_USB}[generation]
    done = run_deep_update(
        bench.board, PLAN, image("deep_update"), way, consent="the suite", ledger=bench.ledger, note=print
    )
    assert (done.radio, done.path) == ("1.28", way)
    assert set(done.functions) >= set(PLAN.functions)


@pytest.fixture
def unpatched(bench):
    """A board whose radio is still as it was shipped: a cut in a patch that never happens would prove nothing."""
    with bench.board.online.hearing(RADIO_EVENT) as heard:
        bench.board.start()
        bench.board.go_online()
        version = poll(lambda: heard[-1] if heard else None, seconds=bench.board.timing.start, clock=bench.board.clock)
    if version == PLAN.radio:
        pytest.skip(f"not run here: the radio of {bench.board.name} is patched already")
    return bench


@pytest.mark.long
@pytest.mark.usefixtures("may_destroy")
@pytest.mark.board("spark-core", mode="wired", generation="b", wifi="joined", timing="real")
def test_a_cut_in_a_patch(unpatched, image, as_expected, record_property):
    bench = unpatched
    verdict = bench.run(PatchCut.cut_in("driver", PLAN, image("deep_update")))
    assert (verdict.landing.phase, verdict.landing.known_by) == ("driver", "inferred")
    cost = what_it_cost(bench.board)
    bench.board.enter_dfu()
    if cost == RADIO_LOST:
        bench.give_up("its radio is lost")
    as_expected(verdict)
    as_expected.of("deep-update", "the radio, driver", Became("lost" if cost == RADIO_LOST else "kept"))
    record_property("became", f"driver → {cost}")


@pytest.mark.long
@pytest.mark.usefixtures("may_destroy")
@pytest.mark.board("spark-core", mode="wired", generation="b", wifi="joined", timing="real")
def test_a_cut_before_the_patches(unpatched, image, as_expected, record_property):
    bench = unpatched
    verdict = bench.run(PatchCut.cut_in("table", PLAN, image("deep_update")))
    assert (verdict.landing.phase, verdict.landing.known_by) == ("table", "inferred")
    as_expected(verdict)
    with bench.board.online.hearing(RADIO_EVENT) as heard:
        cost = what_it_cost(bench.board)
        is_patched = poll(lambda: heard[-1:] == [PLAN.radio], seconds=bench.board.timing.start, clock=bench.board.clock)
    as_expected.of("deep-update", "the radio, table", Became("lost" if cost == RADIO_LOST else "kept"))
    assert is_patched or cost == RADIO_LOST, "the next start patches it after all"
    record_property("became", f"table → {cost}")
