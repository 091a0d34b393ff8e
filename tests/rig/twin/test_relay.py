"""The relay twin and the driver of its contacts: two protocols, the same channels, and honest errors."""

from __future__ import annotations

import json
import socket

import pytest
import requests
from labgrid.driver.power import shelly_gen2
from pyModbusTCP.client import ModbusClient

from rig.control.address import TcpAddress
from rig.drivers.relay import address_of
from rig.errors import LabFault, Misuse
from rig.twin.relay import Wire
from tests.rig.families.spark_core.twin.models import served_core
from tests.rig.twin import checks_relay as checks
from tests.rig.twin.served_relay import becomes, contact, relay_servers


@pytest.fixture
def bench(tmp_path):
    """Two boards on one relay: power, MODE and RST of each."""
    with served_core(tmp_path / "a") as first, served_core(tmp_path / "b") as second:
        wires = [Wire(line, c.control) for c in (first, second) for line in ("power", "mode", "reset")]
        with relay_servers(wires) as (_, modbus, http):
            yield first, second, modbus, http


def test_modbus_and_shelly_switch_and_read_the_same_channel(bench):
    _, _, modbus, http = bench
    power = contact(modbus)
    assert power.is_closed()
    shelly_gen2.power_set(http, None, 0, False)
    assert not power.is_closed()
    power.switch(True)
    assert shelly_gen2.power_get(http, None, 0) is True


def test_a_channel_switches_its_own_line_of_its_own_board(bench):
    first, second, modbus, _ = bench
    contact(modbus, 3).switch(False)
    contact(modbus, 1).switch(True)
    assert becomes(first, power=True, mode=True)
    assert becomes(second, power=False, mode=False)
    contact(modbus, 2).switch(True)
    assert becomes(first, running=None)


def test_an_inverted_contact_is_open_when_its_coil_is_set(bench):
    _, _, modbus, _ = bench
    inverted = contact(modbus, 0, inverted=True)
    inverted.switch(False)
    assert ModbusClient("127.0.0.1", modbus).read_coils(0) == [True]
    assert not inverted.is_closed()


def test_several_coils_at_once(bench):
    first, second, modbus, _ = bench
    assert ModbusClient("127.0.0.1", modbus).write_multiple_coils(0, [False, False, False, False])
    assert becomes(first, power=False)
    assert becomes(second, power=False)


@pytest.mark.parametrize("coil", [6, 60000])
def test_a_coil_that_does_not_exist_is_refused(bench, coil):
    with pytest.raises(LabFault, match=rf"core-01: relay 127.0.0.1:{bench[2]} does not switch coil {coil}"):
        contact(bench[2], coil).switch(False)


def test_a_dead_relay_is_a_lab_fault_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(LabFault, match=f"core-01: relay 127.0.0.1:{port} does not connect coil 0"):
        contact(port).connect()


def test_a_relay_that_accepts_and_is_silent_is_given_up_after_a_second():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(LabFault, match="does not switch"):
        contact(silent.getsockname()[1]).switch(False)


def test_a_wire_to_a_dead_board_does_not_stop_the_others(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with served_core(tmp_path / "a") as alive:
        wires = [Wire("power", TcpAddress("127.0.0.1", port)), Wire("power", alive.control)]
        with relay_servers(wires) as (_, modbus, _http):
            contact(modbus, 0).switch(False)
            contact(modbus, 1).switch(False)
            assert becomes(alive, power=False)


def test_a_board_that_comes_back_is_switched_again(tmp_path):
    with (
        served_core(tmp_path / "a") as first,
        relay_servers([Wire("power", first.control)]) as (servers, modbus, _http),
    ):
        contact(modbus).switch(False)
        assert becomes(first, power=False)
        servers.relay._boards[first.control]._sock.shutdown(socket.SHUT_RDWR)
        contact(modbus).switch(True)
        assert becomes(first, power=True)


def test_what_a_board_is_told_while_it_is_dialled_arrives_in_order(tmp_path):
    checks.what_a_board_is_told_while_it_is_dialled_arrives_in_order(tmp_path)


def call(**params):
    return json.dumps({"id": 1, "method": "Switch.Set", "params": params})


BAD_CALLS = {
    "not JSON": ("nonsense", 400, -103),
    "no object": ("[]", 400, -103),
    "no method": ('{"id": 1}', 400, -103),
    "a method that is no text": ('{"id": 1, "method": 5}', 400, -103),
    "arguments that are no object": ('{"id": 1, "method": "Switch.Set", "params": [0, true]}', 400, -103),
    "no switch": (call(on=True), 400, -103),
    "nothing to do": (call(id=0), 400, -103),
    "off as text": (call(id=0, on="false"), 400, -103),
    "off as a number": (call(id=0, on=0), 400, -103),
    "off as nothing": (call(id=0, on=None), 400, -103),
    "part of a switch": (call(id=0.9, on=False), 400, -103),
    "a switch as a fraction": (call(id=0.0, on=False), 400, -103),
    "true as a switch": (call(id=True, on=False), 400, -103),
    "text as a switch": (call(id="first", on=False), 400, -103),
    "nothing as a switch": (call(id=None, on=False), 400, -103),
    "a list as a switch": (call(id=[0], on=False), 400, -103),
    "no such switch": (call(id=9, on=True), 500, -105),
    "a switch before the first": (call(id=-1, on=False), 500, -105),
    "a timer that nobody runs": (call(id=0, on=False, toggle_after=1), 400, -103),
    "no such method": ('{"id": 1, "method": "Switch.Explode", "params": {"id": 0}}', 500, 404),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_calls_are_answered_as_a_shelly_does_and_switch_nothing(bench, case):
    body, status, code = BAD_CALLS[case]
    response = requests.post(f"{bench[3]}/rpc", data=body, timeout=5)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert shelly_gen2.power_get(bench[3], None, 0) is True


def test_labgrid_tells_a_switch_as_text(bench):
    response = requests.post(f"{bench[3]}/rpc", data=call(id="0", on=False), timeout=5)
    assert response.json()["result"] == {"was_on": True}


def test_a_wire_leads_to_an_address_with_colons():
    assert Wire.parse("power@[::1]:4000") == Wire("power", TcpAddress("::1", 4000))


HOSTS = {"relay.lab": ("relay.lab", 502), "relay.lab:1502": ("relay.lab", 1502), "[::1]": ("::1", 502)}


@pytest.mark.parametrize("text", [*HOSTS, "[::1]:1502"])
def test_a_relay_is_found_by_its_host_with_a_port_and_without(text):
    assert address_of(text) == HOSTS.get(text, ("::1", 1502))


def test_a_relay_s_host_that_is_none_is_misuse():
    with pytest.raises(Misuse, match="the relay's host relay:x is not HOST:PORT"):
        address_of("relay:x")


@pytest.mark.parametrize("text", ["", "power", "a light@127.0.0.1:1", "power@1", "power@host:port", "power@host:70000"])
def test_a_wire_that_cannot_be_is_named(text):
    with pytest.raises(Misuse, match="is not LINE@ADDRESS"):
        Wire.parse(text)
