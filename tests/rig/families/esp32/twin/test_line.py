"""The line before an ESP32's bridge: what the chip says comes at its rate, in time that nobody waits for."""

from __future__ import annotations

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.families.esp32.twin.line import FRAME_BITS, GRAIN_SECONDS, MOST_AHEAD
from rig.firmware.seeded_bytes import seeded_bytes
from tests.rig.families.esp32.twin.checks_serial import Wire, client_reads

CONTENTS = seeded_bytes("flash", 0x5000)
#: How long pyserial waits for what its port is set to, and esptool for a byte.
PATIENCE_SECONDS = 3.0
PIECES = st.lists(st.tuples(st.binary(max_size=300), st.sampled_from([9600, 115200, 921600]), st.floats(0, 0.1)))


@given(PIECES)
def test_all_that_is_sent_comes_in_order_each_byte_no_sooner_than_the_line_brings_it(pieces):
    wire, sent, free = Wire(), b"", 0.0
    brought: list[float] = []
    for data, rate, wait in pieces:
        wire.let_pass(wait)
        wire.line.send(data, rate)
        sent += data
        for _ in data:
            free = max(free, wire.now) + FRAME_BITS / rate
            brought.append(free)
    wire.drain()
    assert wire.came == sent
    soonest = [at - FRAME_BITS / 9600 - GRAIN_SECONDS for at in brought]
    assert all(at >= soon for at, soon in zip(wire.when, soonest, strict=True))
    assert not brought or wire.when[-1] <= brought[-1] + 1e-9


@given(PIECES)
def test_each_byte_has_the_rate_it_was_sent_at(pieces):
    wire = Wire()
    for data, rate, wait in pieces:
        wire.let_pass(wait)
        wire.line.send(data, rate)
    wire.drain()
    assert wire.rates == [rate for data, rate, _ in pieces for _ in data]


@pytest.mark.parametrize(("least", "seconds"), [(0, 4096 * 10 / 115200), (3_000_000, 4096 * 10 / 3_000_000)])
def test_a_slow_rate_is_raised_to_the_least_one(least, seconds):
    wire = Wire(least)
    wire.line.send(bytes(4096), 115200)
    wire.drain()
    assert wire.now == pytest.approx(seconds, abs=2 * GRAIN_SECONDS)


def test_an_idle_line_is_due_never_and_brings_a_short_reply_at_once():
    wire = Wire(3_000_000)
    assert wire.line.due() == math.inf
    wire.line.send(bytes(14), 115200)
    assert (len(wire.came), wire.line.due()) == (14, math.inf)


def test_a_program_that_says_more_than_the_line_takes_has_the_rest_sent_at_once():
    wire = Wire()
    for _ in range(100):
        wire.line.send(bytes(4096), 115200)
    assert 100 * 4096 - len(wire.came) <= MOST_AHEAD
    wire.drain()
    assert len(wire.came) == 100 * 4096


@pytest.mark.parametrize("stub", ["stub", "legacy"])
@pytest.mark.parametrize("pace", [2_000, 20_000, 200_000], ids=lambda pace: f"{pace} bytes a second")
@pytest.mark.parametrize("least", [0, 3_000_000])
def test_a_client_that_negotiates_its_port_anew_in_mid_stream_gets_every_byte_in_time(stub, pace, least):
    read = client_reads(stub, CONTENTS, pace=pace, least_rate=least)
    assert (read.data, read.digest) == (CONTENTS, hashlib.md5(CONTENTS).digest())
    assert read.longest_wait <= PATIENCE_SECONDS, "the answer lies behind too many bytes"
