"""Named checks of test_mutants: a lab to start from, and what stock verbs and drivers find in a place."""

from __future__ import annotations

import re
from dataclasses import replace

from labgrid import Target

from rig.drivers import stock_verbs
from rig.drivers.place import driver_of
from rig.errors import Misuse
from rig.families.spark_core.drivers.cloud import SparkCloudDriver
from rig.family.contract import families
from rig.lab import example
from tests.rig.lab.lab_in_memory import raises


def a_stock_verb_sees_the_boards_own_devices_and_no_others(_folder):
    for name, told in stock_verbs.stock_resources("8D80306E5055").items():
        wanted = dict(told["match"])
        assert wanted.get("ID_SERIAL_SHORT") == "8D80306E5055", f"{name} takes whatever hangs on the exporter's host"


EXAMPLES = [family.place for family in families()]


def an_example_writes_nothing_over(folder):
    (folder / "places.sh").write_text("mine")
    assert raises(Misuse, lambda: example.write_example(folder, EXAMPLES, []))
    assert [path.name for path in folder.iterdir()] == ["places.sh"]


def an_exporters_file_takes_no_template_from_a_setting(folder):
    for address in ("{{7*7}}:502", "relay.lab:502 # set x = 1", "relay.lab:502\ncut"):
        told = [f"relay={address}"]
        assert raises(Misuse, lambda told=told: example.write_example(folder / "lab", EXAMPLES, told)), address


def places_of_a_lab_share_no_relay_channel(folder):
    """A family knows of no other, and so of no channels that others take."""
    twice = [replace(place, place=f"{place.place}-{turn}") for place in EXAMPLES for turn in "ab"]
    example.write_example(folder / "lab", [replace(place, kind=place.place) for place in twice], [])
    coils = re.findall(r"coil: (\d+)", (folder / "lab" / "exporter.yaml").read_text())
    assert sorted(map(int, coils)) == list(range(len(coils)))


def a_place_without_a_cloud_has_a_board_without_one(_folder):
    target = Target("core-01")
    target.set_binding_map({"service": "cloud"})
    SparkCloudDriver(target, "cloud")
    assert driver_of(target, "SparkCloudDriver") is None
