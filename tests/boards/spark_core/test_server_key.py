"""Keys are swapped between a Core and its cloud: who is locked out, and how it comes back (§7.3).

Every scenario of firmware-fixtures/key-scenarios.toml, told by the cloud alone; and what no scenario can say.
"""

from __future__ import annotations

from itertools import product

import pytest

from rig.families.spark_core.boards.keys import read_core_key, write_core_key
from rig.families.spark_core.boards.provisioning import read_core_id
from rig.families.spark_core.trust.key_scenario import load_key_scenarios
from rig.firmware.checkout import part
from rig.trust.expectation import Reach
from tests.boards.spark_core.generations import on_generations

SCENARIOS = load_key_scenarios(part("firmware-fixtures", "key-scenarios.toml"))
ALWAYS = ("b", "a-new-server-key-while-idle")


def see_it_offline(board) -> None:
    """A Core that was just started does not come online, though its application runs and its console works."""
    board.must.not_be_alive(board.timing.start)
    board.make_listen()
    assert read_core_id(board.console, board=board.name, seconds=board.timing.start) == board.tags["core_id"]
    assert not board.online.is_back(), "it is online all the same"


def cases(generations: str) -> list[object]:
    """Each scenario on a Core of each generation; one of them runs every time."""
    found = []
    for letter, name in product(generations, SCENARIOS):
        board = pytest.mark.board("spark-core", mode="wired", generation=letter, wifi="joined")
        marks = [board] if (letter, name) == ALWAYS else [board, pytest.mark.long]
        found.append(pytest.param(name, marks=marks, id=f"{name}-{letter}"))
    return found


@pytest.mark.parametrize("name", cases("bc"))
def test_a_core_does_what_is_expected_of_it_and_is_brought_back(swap, known_defect, name):
    scenario = SCENARIOS[name]
    expected = scenario.change("default")
    played = swap(scenario)
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    assert played.arrived == (True if scenario.when == "mid-download" else None)
    assert played.runs_on, "what ran before runs on, and answers: nothing is bricked, and no update applied by halves"
    assert played.updated, "in the end an update reaches it"
    if expected.after.reach is Reach.DARK:
        known_defect("key-swap-locks-core-out")


@on_generations("b", always="", wifi="joined")
def test_a_damaged_device_key_is_offline_and_not_bricked(bench, online, generation):
    bench.board.enter_dfu()
    key = read_core_key(bench.board)
    write_core_key(bench.board, key[:200] + bytes(100) + key[300:])
    try:
        bench.board.start()
        see_it_offline(bench.board)
    finally:
        bench.board.enter_dfu()
        write_core_key(bench.board, key)
    bench.board.start()
    assert bench.board.go_online()["online"], "its cloud lists it, and not as online"


@on_generations("b", always="", wifi="joined")
@pytest.mark.parametrize("kind", ["wrong-key", "close-after-handshake"])
def test_a_man_in_the_middle_keeps_a_core_offline_only_while_he_is_there(bench, online, kind, generation):
    online.fault(kind, times=1_000_000)
    try:
        bench.board.start()
        see_it_offline(bench.board)
    finally:
        online.client.ask("clear-faults", core=online.core_id)
    bench.board.start()
    assert bench.board.go_online()["online"], "its cloud lists it, and not as online"
