"""The Modbus server of the relay twin: coil values, counts and addresses by the standard, and frames of any kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.twin.modbus import answer


class Coils:
    """Eleven of them, the first closed."""

    def __init__(self):
        self.states = [True] + [False] * 10

    def read(self):
        return self.states

    def write(self, address, values):
        self.states[address : address + len(values)] = values


REQUESTS = {
    "a coil is closed": ("05 0002 FF00", "05 0002 FF00"),
    "a coil is opened": ("05 0000 0000", "05 0000 0000"),
    "a value that is none": ("05 0000 1234", "85 03"),
    "the low byte of one": ("05 0000 00FF", "85 03"),
    "closed, with something behind": ("05 0000 FF01", "85 03"),
    "a coil that is not there": ("05 000B FF00", "85 02"),
    "half a write": ("05 0000", "85 03"),
    "a write with more behind": ("05 0000 FF00 00", "85 03"),
    "the first coil": ("01 0000 0001", "01 01 01"),
    "all coils": ("01 0000 000B", "01 02 01 00"),
    "one coil too many": ("01 0000 000C", "81 02"),
    "no coil": ("01 0000 0000", "81 03"),
    "more than a read may have": ("01 0000 07D1", "81 03"),
    "the end of all addresses": ("01 FFFF 0001", "81 02"),
    "half a read": ("01 00", "81 03"),
    "several coils": ("0F 0001 0003 01 05", "0F 0001 0003"),
    "nine coils": ("0F 0001 0009 02 FF01", "0F 0001 0009"),
    "bytes for too many coils": ("0F 0001 0003 02 0500", "8F 03"),
    "fewer bytes than told": ("0F 0001 0009 02 FF", "8F 03"),
    "more bytes than told": ("0F 0001 0003 01 05 05", "8F 03"),
    "a write of none": ("0F 0001 0000 00", "8F 03"),
    "a write beyond the last": ("0F 000A 0002 01 03", "8F 02"),
    "half a write of several": ("0F 0001", "8F 03"),
    "registers": ("03 0000 0001", "83 01"),
    "discrete inputs": ("02 0000 0001", "82 01"),
    "an exception as a function": ("85 0000 FF00", "85 01"),
    "function zero": ("00 0000 FF00", "80 01"),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_is_answered_by_the_standard(case):
    request, told = (bytes.fromhex(text) for text in REQUESTS[case])
    assert answer(request, Coils()) == told


def test_what_is_refused_changes_nothing():
    coils = Coils()
    for request, told in REQUESTS.values():
        if bytes.fromhex(told)[0] & 0x80:
            answer(bytes.fromhex(request), coils)
    assert coils.states == Coils().states


def test_several_coils_are_those_that_were_told():
    coils = Coils()
    answer(bytes.fromhex("0F 0001 0009 02 FF01"), coils)
    assert coils.states == [True] * 10 + [False]


@given(st.binary(min_size=1, max_size=253))
def test_no_request_breaks_the_server(request):
    told = answer(request, Coils())
    assert told[0] in (request[0], request[0] | 0x80)
