"""A virtual rack of boards whose family is another package: its processes, places and environment, by stock tools."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from labgrid.util import yaml as labgrid_yaml

from tests.rig.rack.test_rack import Up
from tests.rig.waiting import HANGS, until

LAMP = Path(__file__).parent / "lamp"


@pytest.fixture(scope="module")
def up():
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(LAMP), prepend=os.pathsep)
        rack = Up("--boards", "lamp=2", "--time-scale", "0.1")
        yield rack
        rack.end()


def light(up: Up, place: str) -> str:
    told = up.ready["boards"][place]["light"]
    with socket.create_connection((told["host"], told["port"]), timeout=HANGS) as lamp:
        return lamp.recv(16).decode().strip()


def test_its_boards_are_places_like_any_other(up):
    assert up.client("places").split() == ["lamp-01", "lamp-02"]
    shown = up.client("-p", "lamp-02", "show")
    assert all(tag in shown for tag in ("board=lamp", "colour=white", "timing_scale=0.1"))


def test_stock_tools_switch_its_supply_and_its_button(up):
    up.client("-p", "lamp-01", "acquire")
    up.client("-p", "lamp-01", "io", "high", "switch")
    assert (light(up, "lamp-01"), light(up, "lamp-02")) == ("lit", "dark")
    up.client("-p", "lamp-01", "power", "off")
    assert light(up, "lamp-01") == "dark"
    up.client("-p", "lamp-01", "release")


def test_its_twin_that_dies_is_started_again_on_the_port_it_had(up):
    victim = next(child for name, child in up.children().items() if "lamp-02" in name)
    victim.kill()
    assert up.process.stderr.readline().startswith("rig: lamp-02 died")
    until(lambda: light_or_none(up, "lamp-02") == "dark", "it to shine again", seconds=HANGS)


def light_or_none(up: Up, place: str) -> str | None:
    try:
        return light(up, place)
    except OSError:
        return None


def test_a_rack_without_other_boards_has_none_of_their_servers(up):
    assert not {"cloud", "updates"} & up.ready.keys()
    assert not [name for name in up.children() if "cloud" in name]


def test_an_environment_says_how_its_boards_are_reached(up):
    text = Path(up.ready["environment"]).read_text().replace("!template", "")
    drivers = [name for driver in labgrid_yaml.load(text)["targets"]["main"]["drivers"] for name in driver]
    assert drivers == ["RelayDriver", "ButtonDriver", "RecordedConsoleDriver"]
