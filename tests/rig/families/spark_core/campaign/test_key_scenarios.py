"""Scenarios of a Core's keys as data: those we ship are whole, and a file that is wrong is told where."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.families.spark_core.trust.key_scenario import load_key_scenarios
from rig.firmware.checkout import part

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


def written(folder, *scenarios: dict[str, str]):
    path = folder / "keys.toml"
    path.write_text("".join("[[scenario]]\n" + "".join(f"{k} = {v}\n" for k, v in one.items()) for one in scenarios))
    return path


def test_the_scenarios_we_ship_say_how_each_core_is_brought_back():
    shipped = load_key_scenarios(part("firmware-fixtures", "key-scenarios.toml"))
    assert {scenario.when for scenario in shipped.values()} == {"idle", "off", "mid-download", "during-cut"}
    assert {scenario.back for scenario in shipped.values()} == {"swap-back", "cable"}


@pytest.mark.parametrize("case", WRONG)
def test_a_scenario_that_is_wrong_is_refused_by_file_and_field(tmp_path, case):
    changed, told = WRONG[case]
    with pytest.raises(Misuse, match=f"keys.toml.*{told}"):
        load_key_scenarios(written(tmp_path, GOOD | changed))


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    assert list(load_key_scenarios(written(tmp_path, GOOD))) == ["one"]
    with pytest.raises(Misuse, match="one is there twice"):
        load_key_scenarios(written(tmp_path, GOOD, GOOD))
