"""Scenarios of a Core's keys: those we ship end on the model as is expected; a file that is wrong is told where."""

from __future__ import annotations

import pytest

from rig.campaign.swap_capsule import SwapCapsule
from rig.campaign.swap_replay import replay_swap
from rig.errors import Misuse
from rig.families.spark_core.trust.key_scenario import load_key_scenarios
from rig.firmware.checkout import part
from tests.rig.campaign.swap_setups import capsule, images

SHIPPED = load_key_scenarios(part("firmware-fixtures", "key-scenarios.toml"))
GOOD = {
    "name": '"one"',
    "about": '"the key is another"',
    "expects": '{ default = "dark (other-key)" }',
    "after": '{ server = "new" }',
}
#: What is changed in a good scenario, and what is said of it.
WRONG = {
    "nothing changes": ({"after": '{ server = "shipped" }'}, "nothing changes"),
    "a Core has no pieces": ({"when": '"between-pieces"'}, "has no pieces"),
    "a cable against somebody in the middle": (
        {"after": '{ signs = "another" }', "back": '"cable"'},
        "nothing else helps",
    ),
    "a key nobody knows of": ({"after": '{ server = "old" }'}, r"scenario\.0\.after\.server"),
    "a field nobody knows of": ({"since": "2014"}, r"scenario\.0\.since"),
    "an expectation that is none": ({"expects": '{ default = "offline" }'}, "'offline' is none of"),
}


@pytest.mark.parametrize("generation", ["a", "b", "c"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_capsule_ends_as_is_expected_of_the_core(name, generation):
    scenario, line = SHIPPED[name], str(capsule("spark-core", name, generation=generation))
    played = replay_swap(SwapCapsule.parse(line), images("spark-core"))
    expected = scenario.change("default")
    assert (str(played.before), str(played.after)) == (str(expected.before), str(expected.after))
    assert played.arrived == (True if scenario.when == "mid-download" else None)
    assert played.runs_on
    assert played.updated


@pytest.mark.parametrize(("tag", "played"), [("a2013", "a2013"), ("c7", "c7"), ("c9999", "c"), ("unknown", "b")])
def test_a_capsule_is_of_a_bootloader_that_is_modelled(tag, played):
    line = str(capsule("spark-core", "somebody-in-the-middle", generation=tag))
    assert SwapCapsule.parse(line).choices == {"generation": played}


def written(folder, *scenarios: dict[str, str]):
    path = folder / "keys.toml"
    path.write_text("".join("[[scenario]]\n" + "".join(f"{k} = {v}\n" for k, v in one.items()) for one in scenarios))
    return path


def test_the_scenarios_we_ship_say_how_each_core_is_brought_back():
    assert {scenario.when for scenario in SHIPPED.values()} == {"idle", "off", "mid-download", "during-cut"}
    assert {scenario.back for scenario in SHIPPED.values()} == {"swap-back", "cable"}


@pytest.mark.parametrize("case", WRONG)
def test_a_scenario_that_is_wrong_is_refused_by_file_and_field(tmp_path, case):
    changed, told = WRONG[case]
    with pytest.raises(Misuse, match=f"keys.toml.*{told}"):
        load_key_scenarios(written(tmp_path, GOOD | changed))


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    assert list(load_key_scenarios(written(tmp_path, GOOD))) == ["one"]
    with pytest.raises(Misuse, match="one is there twice"):
        load_key_scenarios(written(tmp_path, GOOD, GOOD))
