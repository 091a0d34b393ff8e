"""The power switch's contract, kept by our driver and by labgrid's own on the same relay."""

from __future__ import annotations

import pytest
from labgrid import Target
from labgrid.driver import DigitalOutputPowerDriver, ModbusCoilDriver, NetworkPowerDriver
from labgrid.resource import ModbusTCPCoil, NetworkPowerPort
from models import served_core
from test_relay import relay_servers

from rig.clock import Clock, look_for
from rig.drivers.relay import RelayDriver
from rig.drivers.shelly import ShellyPowerDriver
from rig.twin.relay import Wire

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
        assert look_for(lambda state=state: core.call("status")["power"] is state, seconds=5, clock=Clock())
    driver.cycle()
    assert driver.get() is True
