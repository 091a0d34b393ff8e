"""What servers and twins keep of the past, and of what was told them, has a bound."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig import limits
from rig.bounded_log import BoundedLog
from rig.errors import LabFault, Misuse
from rig.evidence import timeline
from rig.families.spark_core.servers import cloud_limits, inbox
from rig.families.spark_core.servers.delay_line import DelayLine
from rig.families.spark_core.servers.inbox import Inbox
from rig.formats.tls_records import ClientHello
from rig.limits import effective_limits
from rig.lines import ByteBudget
from rig.servers.https.event_queue import EventQueue
from rig.trust.tls.handshake import Handshake
from rig.twin import flash
from rig.twin.board_model import MOST_EVENTS
from tests.rig.families.spark_core.twin.models import core_in_memory


@given(st.lists(st.integers(0, 50), max_size=80))
def test_the_newest_are_kept_by_number_and_by_bytes(sizes):
    kept = BoundedLog(10, 100, lambda size: size)
    for size in sizes:
        kept.append(size)
    assert list(kept) == sizes[len(sizes) - len(kept) :]
    assert list(reversed(kept)) == list(kept)[::-1]
    assert len(kept) <= 10
    assert kept.bytes == sum(kept) <= 100


def test_records_of_handshakes_count_what_clients_offer():
    hello = ClientHello((0x0303,), tuple(range(16_000)), "ota.rig.test")
    kept = BoundedLog(10_000, 16 * limits.MIB, Handshake.size)
    for number in range(200):
        kept.append(Handshake(number, "127.0.0.1:1", 0, hello=hello))
    assert len(kept) == 29


def test_the_journal_of_a_flash_forgets_its_oldest_runs(monkeypatch):
    monkeypatch.setattr(flash, "MOST_JOURNAL", 10_000)
    journal = flash.Journal()
    for _ in range(100):
        journal.number(flash.Run("program", 0, 2, 50, bytes(100)))
    assert (journal.next, 10 < len(journal.runs) <= 34) == (5000, True)
    assert journal.operation(4999).first == 4999
    with pytest.raises(Misuse, match="operation 0 is not in the journal"):
        journal.operation(0)


def test_a_board_that_restarts_all_night_forgets_its_lights():
    core = core_in_memory()
    for _ in range(3 * MOST_EVENTS):
        core.light("red", 0.1)
    assert len(core.led) <= MOST_EVENTS


def test_readers_of_events_wait_together_for_so_much():
    async def act():
        shared = ByteBudget(10_000)
        slow, other = EventQueue(1000, shared), EventQueue(1000, shared)
        for _ in range(100):
            slow.put({"event": "progress"})
        other.put({"event": "progress"})
        slow.close()
        came = EventQueue(1000, shared)
        came.put({"event": "progress"})
        return len(await _until_fault(slow)), await _until_fault(other), await anext(aiter(came))

    count, others, next_one = asyncio.run(act())
    assert 10 < count < 20
    assert others == []
    assert next_one == {"event": "progress"}


async def _until_fault(queue):
    """What a reader is told until it is told that it missed something."""
    told = []
    with contextlib.suppress(LabFault, TimeoutError):
        async with asyncio.timeout(1.0):
            async for event in queue:
                told.append(event)
    return told


def test_a_core_that_says_more_than_an_update_waits_for_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(inbox, "MOST_WAITING", 10)
    closed = []

    async def act():
        session = SimpleNamespace(connection=SimpleNamespace(close=closed.append))
        waiting = Inbox(session)
        for _ in range(11):
            waiting._listen(SimpleNamespace(type=1, code=1, path=b"c"))

    asyncio.run(act())
    assert closed == ["says more than an update has room for"]


def test_a_line_knows_how_much_it_holds():
    line = DelayLine()
    for _ in range(5):
        line.put(b"abc", 0.0)
    assert line.held == 15
    assert line.take(1.0) == b"abc" * 5
    assert line.held == 0


def test_a_timeline_has_an_end_and_says_what_is_not_kept(monkeypatch):
    monkeypatch.setattr(timeline, "MOST_MOMENTS", 100)
    told = timeline.Timeline()
    for number in range(1000):
        told.note("rig", f"{number}", ns=number)
    assert len(told.moments) <= 100
    first, *rest = told.moments
    assert first.text == f"{1000 - len(rest)} moments before this are not kept"
    assert rest[-1].text == "999"


#: What a rack of 200 boards and 50 workers needs of each server.
NEEDED = {
    "a twin's control": (limits.TWIN_CONTROL, 4 + 8),
    "a cloud's control": (limits.CLOUD_CONTROL, 50 * 4 + 200),
    "USB/IP": (limits.USBIP, 1 + 8),
    "a serial port": (limits.SERIAL, 4),
    "Modbus": (limits.MODBUS, 200 * 4 + 50),
    "a Shelly": (limits.SHELLY, 50),
    "a cloud of Cores": (cloud_limits.DEVICES, 2 * 200),
    "its API": (cloud_limits.API, 50),
    "HTTPS": (limits.HTTPS, 2 * 200 + 50),
}


@pytest.mark.parametrize("server", NEEDED)
def test_a_large_rack_has_room_and_strangers_never_take_much_of_it(server):
    allowed, needed = NEEDED[server]
    assert allowed.connections >= needed
    assert allowed.in_all + allowed.connections * allowed.unread <= 200 * limits.MIB


def test_an_image_of_16_mb_fits_into_a_request():
    assert limits.CLOUD_CONTROL.message > (16 << 20) * 4 / 3 + 1000
    assert limits.CLOUD_CONTROL.in_all >= 2 * limits.CLOUD_CONTROL.message


def test_limits_are_told_by_the_environment(monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "idle=1.5,connections=7")
    assert (effective_limits(limits.MODBUS).idle, effective_limits(limits.MODBUS).connections) == (1.5, 7)
    assert effective_limits(limits.MODBUS).message == 260


@pytest.mark.parametrize("text", ["idle", "idle=soon", "connections=0", "connections=-1", "colour=1", "idle=nan"])
def test_limits_that_are_none_are_misuse(monkeypatch, text):
    monkeypatch.setenv(limits.VARIABLE, text)
    with pytest.raises(Misuse, match="RIG_LIMITS"):
        effective_limits(limits.MODBUS)
