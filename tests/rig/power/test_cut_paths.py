"""`rig lab health` tells what each place's cuts go through, and names dead exporters and relays, with status 3."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

from rig.control.address import TcpAddress
from rig.errors import LabFault, Misuse, Unreachable
from rig.lab.cut_paths import contact_among, switches_of
from rig.power.cut_path import CutPath
from rig.twin.relay import Wire
from tests.rig.rack.rig_up import Up
from tests.rig.twin.served_relay import relay_servers
from tests.rig.waiting import HANGS

#: One worker makes them all: each would start its own.
pytestmark = pytest.mark.xdist_group("cut-paths")


@pytest.fixture(scope="module")
def up():
    rack = Up("--cores", "1", "--esp32s", "1", "--time-scale", "0.1")
    yield rack
    rack.end()


def health(up) -> tuple[int, dict[str, str], list[str]]:
    """Status, what cuts each place's supply, and what is complained of."""
    words = ["-m", "rig", "lab", "health", "--coordinator", up.coordinator, "--json"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=HANGS)
    rows = map(json.loads, done.stdout.splitlines())
    return done.returncode, {row["place"]: row["cut"] for row in rows}, done.stderr.splitlines()


def test_health_tells_what_cuts_each_board_and_how_quick_that_is(up):
    status, cuts, faults = health(up)
    assert (status, faults) == (0, [])
    assert all(cut.startswith("Modbus, ") and " ms (at most " in cut for cut in cuts.values())
    assert set(cuts) == {"core-01", "esp32-01"}


def test_a_held_place_is_left_alone_and_a_hanging_relay_named_with_status_3(up):
    up.client("-p", "core-01", "acquire")
    relay = up.children()["relay"]
    relay.suspend()
    status, cuts, faults = health(up)
    relay.resume()
    up.client("-p", "core-01", "release")
    assert status == 3
    assert cuts == {"core-01": "not looked at while it is held", "esp32-01": "does not answer"}
    assert [fault.split(" does not ")[0] for fault in faults] == [f"rig: esp32-01: relay 127.0.0.1:{modbus(up)}"]


def modbus(up):
    return up.ready["relay"]["modbus"]["port"]


def test_a_dead_exporter_is_named_with_status_3_for_each_of_its_places(up):
    exporter = up.children()["exporter"]
    rack = psutil.Process(up.process.pid)
    rack.suspend()  # it would start another one
    exporter.kill()
    status, cuts, faults = health(up)
    rack.resume()
    assert (status, set(cuts.values())) == (3, {"does not answer"})
    assert [fault.partition(" offers ")[0] for fault in faults] == [
        "rig: core-01: no exporter",
        "rig: esp32-01: no exporter",
    ]


# -- by what a place exports -------------------------------------------------------------------------------------------

PASSWORD = "spark-and-co"


@pytest.fixture(scope="module")
def relay():
    """A relay with nobody on its wire, by Modbus, by HTTP and by HTTP with a password."""
    wire = [Wire("power", TcpAddress("127.0.0.1", 1))]
    with relay_servers(wire) as (_, port, http), relay_servers(wire, PASSWORD) as (_, _port, guarded):
        yield {"modbus": f"127.0.0.1:{port}", "http": http, "guarded": guarded}


#: What a place may export, by resource; each relay has all contacts.
def exported(relay):
    return {
        "cut": ("ModbusTCPCoil", {"host": relay["modbus"], "coil": 0, "invert": False}),
        "power": ("NetworkPowerPort", {"model": "shelly_gen2", "host": relay["http"], "index": "0"}),
        "dfu": ("NetworkDFUDevice", {"host": "exporter"}),
    }


RELAY = "- RelayDriver: {name: power, bindings: {coil: cut}}"
PEOPLE = "- NetworkPowerDriver: {name: people, bindings: {port: power}}"
SHELLY = "- ShellyPowerDriver: {name: power, bindings: {port: power}}"
STOCK = "- NetworkPowerDriver: {name: power, bindings: {port: power}}"
COIL = "- ModbusCoilDriver: {name: power, bindings: {coil: cut}}"
#: What an environment names, what the place lacks of all that could be, and what its cuts go through.
ROUTES = {
    "the rig's own": ([RELAY], "dfu", "Modbus"),
    "and another one for people": ([PEOPLE, RELAY], "dfu", "Modbus"),
    "a Shelly": ([SHELLY], "cut", "Shelly's RPC"),
    "a model of labgrid": ([STOCK], "cut", "labgrid's NetworkPowerDriver"),
    "a digital output": ([COIL], "power", "labgrid's ModbusCoilDriver"),
    "the rig's own, where the place has no coil": ([RELAY, PEOPLE], "cut", "labgrid's NetworkPowerDriver"),
}


def environment(folder, drivers):
    file = folder / "lab.yaml"
    lines = ["targets:", "  main:", "    drivers:", *(f"    {line}" for line in drivers)]
    file.write_text("\n".join([*lines, "imports: [rig.drivers.relay, rig.drivers.shelly]"]))
    return file


@pytest.mark.parametrize("case", ROUTES)
def test_a_place_is_looked_at_through_what_a_run_would_cut_it_by(relay, tmp_path, case):
    drivers, lacks, route = ROUTES[case]
    resources = exported(relay)
    del resources[lacks]
    contact = contact_among(switches_of(environment(tmp_path, drivers)), resources, "core-01")
    path = CutPath.measure(contact)
    assert (path.route, path.direct) == (route, not route.startswith("labgrid"))


def test_a_shelly_with_a_password_is_alive_although_nobody_told_it(relay, tmp_path):
    resources = exported({**relay, "http": relay["guarded"]})
    contact = contact_among(switches_of(environment(tmp_path, [SHELLY])), resources, "core-01")
    with pytest.raises(LabFault, match="asks for a password") as caught:
        CutPath.measure(contact)
    assert not isinstance(caught.value, Unreachable)


BAD = {
    "a place that exports no relay": ([RELAY], {}, "the environment has 0 drivers that may feed it"),
    "a model that labgrid has not": (
        [STOCK],
        {"power": ("NetworkPowerPort", {"model": "x", "host": "h", "index": "0"})},
        "NetworkPowerDriver cannot be made",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_looked_at_is_said_and_is_nobodys_death(tmp_path, case):
    drivers, resources, reason = BAD[case]
    with pytest.raises(Misuse, match=f"core-01: {reason}"):
        contact_among(switches_of(environment(tmp_path, drivers)), resources, "core-01")


def test_a_file_that_is_no_environment_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("targets: {}")
    with pytest.raises(Misuse, match=r"bad\.yaml is no labgrid environment"):
        switches_of(tmp_path / "bad.yaml")
