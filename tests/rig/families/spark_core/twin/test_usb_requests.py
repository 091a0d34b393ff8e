"""Control requests of a Core's two USB identities, as ST's library answers them: what is taken, and what stalls.

The rows follow usb_core.c of core-common-lib (tag spark_4) line by line; vectors/dfu p01 and p65 to p72 record some.
"""

from __future__ import annotations

import itertools

import pytest

from rig.families.spark_core.sweep.start import into_dfu
from rig.families.spark_core.twin.app.listening import ListeningFunction
from rig.families.spark_core.twin.dfu import DfuFunction
from rig.families.spark_core.twin.usb_function import UsbFunction
from rig.formats.usb import Setup
from tests.rig.families.spark_core.twin.models import core_in_memory

CONFIGURE = "00 09 0100 0000 0000"


def dfu() -> UsbFunction:
    function = into_dfu(core_in_memory()).usb
    assert isinstance(function, DfuFunction)
    return function


def listening() -> UsbFunction:
    return ListeningFunction(bytes(12))


def ask(function: UsbFunction, line: str) -> str:
    """`request type, request, value, index, length[, data]` in hex; the answer in hex, `ack` or `stall`."""
    raw, _, data = line.partition(">")
    setup = Setup.unpack(bytes.fromhex(raw))
    reply = function.control(setup, bytes.fromhex(data))
    if reply is None:
        return "stall"
    return reply.hex() if setup.device_to_host and setup.length else "ack"


#: What was sent before, and how the last is answered, by DFU and by a Core that listens.
TABLE = {
    "SET_ADDRESS 5": (["00 05 0500 0000 0000"], "ack", "ack"),
    "SET_ADDRESS 128": (["00 05 8000 0000 0000"], "stall", "stall"),
    "SET_ADDRESS with an index": (["00 05 0500 0100 0000"], "stall", "stall"),
    "SET_ADDRESS once configured": ([CONFIGURE, "00 05 0500 0000 0000"], "stall", "stall"),
    "SET_ADDRESS sent as a question without data": (["80 05 0500 0000 0000"], "ack", "ack"),
    "SET_CONFIGURATION 2": (["00 09 0200 0000 0000"], "stall", "stall"),
    "SET_CONFIGURATION 0x0101": (["00 09 0101 0000 0000"], "stall", "stall"),
    "SET_CONFIGURATION with an index": (["00 09 0100 0100 0000"], "stall", "stall"),
    "SET_CONFIGURATION with data": (["00 09 0100 0000 0100 > 00"], "stall", "stall"),
    "SET_CONFIGURATION of an interface": (["01 09 0100 0000 0000"], "stall", "stall"),
    "SET_FEATURE remote wakeup": (["00 03 0100 0000 0000"], "ack", "ack"),
    "SET_FEATURE remote wakeup, high byte not looked at": (["00 03 0177 0000 0000"], "ack", "ack"),
    "SET_FEATURE remote wakeup with an index": (["00 03 0100 0100 0000"], "stall", "stall"),
    "SET_FEATURE test mode": (["00 03 0200 0001 0000"], "stall", "stall"),
    "SET_FEATURE halt of the device": (["00 03 0000 0000 0000"], "stall", "stall"),
    "CLEAR_FEATURE remote wakeup that is not set": (["00 01 0100 0000 0000"], "stall", "stall"),
    "CLEAR_FEATURE remote wakeup": (["00 03 0100 0000 0000", "00 01 0100 0000 0000"], "ack", "ack"),
    "CLEAR_FEATURE test mode": (["00 03 0100 0000 0000", "00 01 0200 0000 0000"], "stall", "stall"),
    "GET_STATUS of the device": (["80 00 0000 0000 0200"], "0100", "0100"),
    "GET_STATUS with remote wakeup": (["00 03 0100 0000 0000", "80 00 0000 0000 0200"], "0300", "0300"),
    "GET_STATUS with a value": (["80 00 0100 0000 0200"], "stall", "stall"),
    "GET_STATUS with an index": (["80 00 0000 0100 0200"], "stall", "stall"),
    "GET_STATUS of 1 byte": (["80 00 0000 0000 0100"], "stall", "stall"),
    "GET_STATUS of 4 bytes": (["80 00 0000 0000 0400"], "stall", "stall"),
    "GET_STATUS of an interface before it is configured": (["81 00 0000 0000 0200"], "stall", "stall"),
    "GET_STATUS of interface 1": ([CONFIGURE, "81 00 0000 0100 0200"], "0000", "0000"),
    "GET_STATUS of interface 2": ([CONFIGURE, "81 00 0000 0200 0200"], "0000", "stall"),
    "GET_STATUS of interface 3": ([CONFIGURE, "81 00 0000 0300 0200"], "stall", "stall"),
    "GET_STATUS of endpoint 0 in": (["82 00 0000 8000 0200"], "0000", "0000"),
    "GET_STATUS of endpoint 1 in": (["82 00 0000 8100 0200"], "stall", "0000"),
    "GET_STATUS of endpoint 1 out": (["82 00 0000 0100 0200"], "stall", "stall"),
    "GET_STATUS of endpoint 0 with reserved bits": (["82 00 0000 1000 0200"], "stall", "stall"),
    "GET_STATUS of something else": (["83 00 0000 0000 0200"], "stall", "stall"),
    "SET_FEATURE halt before it is configured": (["02 03 0000 8100 0000"], "stall", "stall"),
    "SET_FEATURE halt of endpoint 0": ([CONFIGURE, "02 03 0000 0000 0000"], "ack", "ack"),
    "a halt of endpoint 0 is over at once": (
        [CONFIGURE, "02 03 0000 8000 0000", "82 00 0000 8000 0200"], "0000", "0000",
    ),
    "SET_FEATURE halt, high byte of the index not looked at": ([CONFIGURE, "02 03 0000 0001 0000"], "ack", "ack"),
    "SET_FEATURE halt of endpoint 3 out": ([CONFIGURE, "02 03 0000 0300 0000"], "stall", "ack"),
    "SET_FEATURE of an endpoint, not halt": ([CONFIGURE, "02 03 0100 0000 0000"], "stall", "stall"),
    "CLEAR_FEATURE halt of endpoint 0": ([CONFIGURE, "02 01 0000 0000 0000"], "ack", "ack"),
    "CLEAR_FEATURE halt with a high index": ([CONFIGURE, "02 01 0000 0001 0000"], "stall", "stall"),
    "CLEAR_FEATURE halt of endpoint 2 in": ([CONFIGURE, "02 01 0000 8200 0000"], "stall", "ack"),
    "SET_FEATURE of an interface": ([CONFIGURE, "01 03 0000 0000 0000"], "stall", "stall"),
    "CLEAR_FEATURE of an interface": ([CONFIGURE, "01 01 0000 0000 0000"], "stall", "stall"),
    "GET_CONFIGURATION with value and index": ([CONFIGURE, "80 08 3412 7856 0900"], "01", "01"),
    "GET_CONFIGURATION of an interface": ([CONFIGURE, "81 08 0000 0000 0100"], "stall", "stall"),
    "GET_CONFIGURATION without data": ([CONFIGURE, "80 08 0000 0000 0000"], "stall", "stall"),
    "GET_CONFIGURATION that is written": (["00 08 0000 0000 0100 > 01", "80 08 0000 0000 0100"], "01", "01"),
    "GET_INTERFACE of 2 bytes": ([CONFIGURE, "81 0a 0000 0000 0200"], "stall", "stall"),
    "GET_INTERFACE with a value": ([CONFIGURE, "81 0a 0100 0000 0100"], "stall", "stall"),
    "SET_INTERFACE 1": ([CONFIGURE, "01 0b 0100 0000 0000"], "ack", "stall"),
    "SET_INTERFACE 0 of interface 1": ([CONFIGURE, "01 0b 0000 0100 0000"], "ack", "ack"),
    "SET_INTERFACE with a high value": ([CONFIGURE, "01 0b 0001 0000 0000"], "stall", "stall"),
    "GET_DESCRIPTOR of an interface": (["81 06 0001 0000 1200"], "stall", "stall"),
    "GET_DESCRIPTOR device, any index": (["80 06 3401 7856 0400"], "12010001", "12010002"),
    "GET_DESCRIPTOR device qualifier": (["80 06 0006 0000 0a00"], "stall", "stall"),
    "GET_DESCRIPTOR string 9": (["80 06 0903 0904 ff00"], "stall", "stall"),
    "SET_DESCRIPTOR": (["00 07 0001 0000 1200 > 00"], "stall", "stall"),
    "SYNCH_FRAME": ([CONFIGURE, "82 0c 0000 8100 0200"], "stall", "stall"),
    "a vendor's request": (["c0 01 0000 0000 0400"], "stall", "stall"),
    "GET_LINE_CODING": (["a1 21 0000 0000 0700"], "stall", "80250000000008"),
    "GET_LINE_CODING of 64 bytes": (["a1 21 0000 0000 4000"], "stall", "8025000000000800"),
    "SET_LINE_CODING": (
        ["21 20 0000 0000 0700 > 00c20100000008", "a1 21 0000 0000 0700"], "stall", "00c20100000008",
    ),
    "SET_CONTROL_LINE_STATE": (["21 22 0300 0000 0000"], "stall", "ack"),
    "SET_COMM_FEATURE": (["21 02 0000 0000 0000"], "ack", "ack"),
    "SEND_BREAK": (["21 23 0000 0000 0000"], "stall", "stall"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "identity"), list(itertools.product(TABLE, ("dfu", "listening"))))
def test_a_request_is_answered_as_the_library_does(name, identity):
    requests, *answers = TABLE[name]
    function = dfu() if identity == "dfu" else listening()
    *before, last = requests
    for line in before:
        ask(function, line)
    assert ask(function, last) == answers[identity == "listening"]


@pytest.mark.parametrize("make", [dfu, listening])
def test_only_what_is_configured_has_interfaces(make):
    function = make()
    assert ask(function, "81 0a 0000 0000 0100") == "stall"
    ask(function, CONFIGURE)
    assert ask(function, "81 0a 0000 0000 0100") == "00"


def test_a_descriptor_of_dfu_lies_in_ram_where_a_host_can_write_it():
    function = dfu()
    assert ask(function, "00 06 0001 0000 0200 > ffff") == "ack"
    assert ask(function, "80 06 0001 0000 0400") == "ffff0001"


def test_line_settings_and_power_are_as_the_firmware_says():
    configuration = listening().configuration_descriptor
    assert (len(configuration), configuration[2], configuration[8] * 2) == (67, 67, 450)
