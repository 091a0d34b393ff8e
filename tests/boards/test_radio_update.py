"""The deep update of a Core's radio: by the way its history earns it, with every window cut (reference §8)."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.campaign.deep_update import OVER_THE_AIR, OVER_USB, run_deep_update
from rig.firmware.deep_updates import load_deep_updates
from rig.lab.checkout import part

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
