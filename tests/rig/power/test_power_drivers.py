"""The power switch's contract, kept by our driver and by labgrid's own on the same relay."""

from __future__ import annotations

import shlex
import socket
import sys

import pytest
from labgrid import Target
from labgrid.driver import (
    DigitalOutputPowerDriver,
    ExternalPowerDriver,
    ModbusCoilDriver,
    NetworkPowerDriver,
)
from labgrid.resource import ModbusTCPCoil, NetworkPowerPort
from labgrid.step import steps

from rig.boards.wiring import relay_of
from rig.clock import Clock, poll
from rig.drivers.labgrid_contact import LabgridContact
from rig.drivers.progress import Progress
from rig.drivers.relay import RelayDriver
from rig.drivers.shelly import ShellyPowerDriver
from rig.errors import LabFault, Misuse
from rig.power.cut import Cut
from rig.power.cut_path import CutPath
from rig.power.trigger import Aim
from rig.twin.relay import Wire
from tests.rig.families.spark_core.twin.models import served_core
from tests.rig.twin.served_relay import relay_servers

PASSWORD = "spark-and-co"


def ours(target, modbus, _http):
    ModbusTCPCoil(target, "coil", f"127.0.0.1:{modbus}", coil=0)
    return RelayDriver(target, "power")


def labgrids_coil(target, modbus, _http):
    ModbusTCPCoil(target, "coil", f"127.0.0.1:{modbus}", coil=0)
    ModbusCoilDriver(target, "output")
    return DigitalOutputPowerDriver(target, "power", delay=0.2)


def labgrids_shelly(target, _modbus, http):
    NetworkPowerPort(target, "socket", model="shelly_gen2", host=http, index=0)
    return NetworkPowerDriver(target, "power", delay=0.2)


def shelly_with_a_password(target, _modbus, http):
    host = http.replace("http://", f"http://admin:{PASSWORD}@")
    NetworkPowerPort(target, "socket", model="shelly_gen2", host=host, index=0)
    return ShellyPowerDriver(target, "power", delay=0.2)


DRIVERS = {
    "ours": (ours, None),
    "labgrid's coil": (labgrids_coil, None),
    "labgrid's Shelly": (labgrids_shelly, None),
    "a Shelly with a password": (shelly_with_a_password, PASSWORD),
    "ours, where HTTP asks for a password": (ours, PASSWORD),
}


@pytest.fixture(params=DRIVERS)
def wired(request, tmp_path):
    """A power driver, and a board on its relay that knows whether it has power."""
    make, password = DRIVERS[request.param]
    with (
        served_core(tmp_path / "core") as core,
        relay_servers([Wire("power", core.control)], password) as (_, modbus, http),
    ):
        target = Target("main")
        driver = make(target, modbus, http)
        target.activate(driver)
        yield driver, core
        target.cleanup()


def test_a_power_switch_moves_the_board_and_reads_back_what_it_was_told(wired):
    driver, core = wired
    for state in (False, False, True, True):
        (driver.on if state else driver.off)()
        assert driver.get() is state
        assert poll(lambda state=state: core.call("status")["power"] is state, seconds=5, clock=Clock())
    driver.cycle()
    assert driver.get() is True


# -- cuts through any of them ------------------------------------------------------------------------------------------


def labgrids_output(target, modbus, _http):
    """A digital output and nothing else, called as the board's supply."""
    ModbusTCPCoil(target, "coil", f"127.0.0.1:{modbus}", coil=0)
    return ModbusCoilDriver(target, "power")


#: A call of a Shelly, as text: its method, and its other arguments.
CALL = '{{"id": 1, "method": "Switch.{}", "params": {{"id": 0{}}}}}'
ON, OFF = CALL.format("Set", ', "on": true'), CALL.format("Set", ', "on": false')


def a_command(target, _modbus, http):
    """A command of the lab's own, as one writes it for a relay that nobody has a driver for."""
    call = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], sys.argv[2].encode())"
    on, off = (shlex.join([sys.executable, "-c", call, f"{http}/rpc", body]) for body in (ON, OFF))
    return ExternalPowerDriver(target, "power", cmd_on=on, cmd_off=off)


#: How a board may be fed, and what its cuts go through then.
FEEDS = {
    "our own coil": (ours, "Modbus", True),
    "a Shelly with our driver": (shelly_with_a_password, "Shelly's RPC", True),
    "labgrid's coil": (labgrids_coil, "labgrid's DigitalOutputPowerDriver", False),
    "labgrid's digital output": (labgrids_output, "labgrid's ModbusCoilDriver", False),
    "labgrid's Shelly": (labgrids_shelly, "labgrid's NetworkPowerDriver", False),
    "a command": (a_command, "labgrid's ExternalPowerDriver, which cannot read back", False),
}


@pytest.fixture(scope="module")
def fed(tmp_path_factory):
    """One board on a relay; builds its supply as an environment would."""
    with (
        served_core(tmp_path_factory.mktemp("fed") / "core") as core,
        relay_servers([Wire("power", core.control)]) as (_, modbus, http),
    ):

        def build(make):
            target = Target("core-01")
            make(target, modbus, http)
            relay = relay_of(target)
            relay.on()
            assert becomes(core, power=True)
            return relay, core

        yield build


def becomes(core, power):
    return poll(lambda: core.call("status")["power"] is power, seconds=5, clock=Clock())


@pytest.mark.parametrize("case", FEEDS)
def test_any_power_driver_or_digital_output_can_cut_and_its_route_is_told(fed, case):
    make, route, direct = FEEDS[case]
    relay, core = fed(make)
    with Cut(relay.contact(), Aim("program", 0)) as cut:
        cut.watch(Progress("program", 0, 1, 1))
    assert becomes(core, power=False)
    assert (cut.fired.route, relay.get(), relay.contact().direct) == (route, False, direct)


@pytest.mark.parametrize("case", ["labgrid's coil", "labgrid's Shelly"])
def test_a_cut_makes_no_step_of_labgrids(fed, case):
    seen = []
    relay, _ = fed(FEEDS[case][0])
    steps.subscribe(seen.append)
    relay.contact().switch(False)
    relay.get()
    steps.unsubscribe(seen.append)
    assert seen == [], "its stack of steps is not for two threads"


def test_a_path_is_measured_without_moving_the_contact(fed):
    paths = []
    for case in ("our own coil", "labgrid's Shelly"):
        relay, core = fed(FEEDS[case][0])
        relay.off()
        paths.append(CutPath.measure(relay.contact()))
        assert becomes(core, power=False), "looked at, and left as it was"
    quick, slow = paths
    assert 0 < quick.median_ms <= quick.worst_ms
    assert ("not direct" in str(slow), "not direct" in str(quick)) == (True, False)


def switch_of_labgrid(host):
    target = Target("core-01")
    NetworkPowerPort(target, "socket", model="simplerest", host=host, index=0)
    driver = NetworkPowerDriver(target, "power")
    target.activate(driver)
    return driver


def test_a_relay_that_never_answers_is_a_lab_fault():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        driver = switch_of_labgrid(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(LabFault, match=r"core-01: labgrid's NetworkPowerDriver does not switch within 0\.2 s"):
            LabgridContact(driver, seconds=0.2).switch(False)


def test_a_relay_that_refuses_is_a_lab_fault_on_one_line():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(LabFault, match="labgrid's NetworkPowerDriver does not read back: ") as caught:
        LabgridContact(switch_of_labgrid(f"http://127.0.0.1:{port}")).is_closed()
    assert "\n" not in str(caught.value)


def test_of_two_power_drivers_the_one_called_power_feeds_the_board(fed):
    def two(target, modbus, http):
        labgrids_output(target, modbus, http)
        NetworkPowerPort(target, "socket", model="shelly_gen2", host=http, index=0)
        NetworkPowerDriver(target, "people")

    assert fed(two)[0].contact().route == "labgrid's ModbusCoilDriver"


def test_drivers_among_which_nobody_can_tell_are_misuse():
    target = Target("core-01")
    for name in ("left", "right"):
        NetworkPowerPort(target, name, model="shelly_gen2", host="http://127.0.0.1:1", index=0)
        target.set_binding_map({"port": name})
        NetworkPowerDriver(target, name)
    with pytest.raises(Misuse, match="core-01: the environment has 2 drivers that may feed it"):
        relay_of(target)
