"""Updates over a network that misbehaves, in virtual time: a wrong image is never a success, and every update ends."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.families.spark_core.formats.coap import Code, Message, Type
from rig.families.spark_core.servers.delay_line import DelayLine
from rig.families.spark_core.servers.disturbances import KINDS, MESSAGES, Disturbance, Disturbances
from rig.families.spark_core.servers.faults import Fault
from tests.rig.families.spark_core.twin.virtual_cloud import IMAGE, Updated, in_a_virtual_world, updated

#: Firmware, and whether it is asked for a fast update.
MODES = {
    "0.2.0": ("0.2.0", False),
    "0.2.1": ("0.2.1", False),
    "0.3.4": ("0.3.4", False),
    "0.4.4 slow": ("0.4.4", False),
    "0.4.4 fast": ("0.4.4", True),
}
#: Every message of a session with an update, and which of its kind: the second Hello is that of the Core that is back.
STORY = {
    "the nonce": ("nonce", 0),
    "the introduction": ("introduction", 0),
    "the answer": ("answer", 0),
    "the Core's Hello": ("hello", 0),
    "the server's Hello": ("server-hello", 0),
    "UpdateBegin": ("begin", 0),
    "its acknowledgement": ("begin-ack", 0),
    "UpdateReady": ("ready", 0),
    "the first chunk": ("chunk", 0),
    "a chunk in the middle": ("chunk", 3),
    "the last chunk": ("chunk", 7),
    "a chunk's acknowledgement": ("chunk-ack", 3),
    "the last chunk's acknowledgement": ("chunk-ack", 7),
    "the first ChunkReceived": ("received", 0),
    "a ChunkReceived": ("received", 3),
    "the last ChunkReceived": ("received", 7),
    "UpdateDone": ("done", 0),
    "its acknowledgement 2.04": ("done-ack", 0),
    "the next Hello": ("hello", 1),
    "the answer to it": ("server-hello", 1),
}
HOLDS = (1.5, 3.5, 6.5, 13.0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("story", STORY)
def test_a_held_message_is_waited_for_and_never_sent_twice(mode, story):
    for seconds in HOLDS:
        became = updated(*MODES[mode], Disturbance("hold", *STORY[story], seconds))
        assert became.told["ok"], (seconds, became.told["reason"])
        assert became.disturbed == 1
        assert became.stored == IMAGE
        assert became.told["sent"] == became.told["chunks"]


@pytest.mark.parametrize("message", ["missed", "missed-ack", "ping", "pong"])
@pytest.mark.parametrize("mode", ["0.2.1", "0.3.4"])
def test_what_follows_a_hold_may_be_held_too(mode, message):
    for seconds in HOLDS:
        first = Disturbance("hold", "chunk", 3, 3.5)
        became = updated(*MODES[mode], first, Disturbance("hold", message, 0, seconds))
        assert (became.told["ok"], became.stored == IMAGE) == (True, True), became.told["reason"]
        assert became.disturbed == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_disturbance_makes_a_wrong_image_a_success(mode, kind):
    for message, number in STORY.values():
        became = updated(*MODES[mode], Disturbance(kind, message, number, 3.5))
        assert became.is_honest, (message, became.told)


@pytest.mark.parametrize("mode", ["0.2.1", "0.3.4"])
def test_a_network_that_is_always_slow_is_only_slow(mode):
    slow = [Disturbance("delay", message, 0, 1.9) for message in ("begin", "begin-ack")]
    became = updated(*MODES[mode], *slow)
    assert (became.told["ok"], became.told["sent"], became.stored == IMAGE) == (True, 8, True)


disturbances = st.lists(
    st.builds(Disturbance, st.sampled_from(KINDS), st.sampled_from(MESSAGES), st.integers(0, 8), st.floats(0.1, 40.0)),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(MODES)), disturbances)
def test_nor_do_several(mode, planned):
    assert updated(*MODES[mode], *planned).is_honest


@pytest.mark.parametrize("fault", ["duplicate", "second-begin", "early-done"])
def test_an_image_that_the_cloud_itself_spoilt_is_no_success(fault):
    became = updated("0.2.1", False, fault=fault)
    assert became.stored != IMAGE
    assert not became.told["ok"]
    assert became.told["damage"]


@pytest.mark.parametrize("mode", ["0.2.1", "0.3.4"])
def test_a_lost_chunk_is_sent_again_once_it_is_known_to_be_lost(mode):
    became = updated(*MODES[mode], fault="drop")
    assert (became.told["ok"], became.told["missed"], became.stored == IMAGE) == (True, 1, True)


def test_a_chunk_that_the_server_kept_back_is_not_sent_into_the_next_update():
    async def work(world):
        await world.online()
        core_id = world.core.uid.hex()
        world.cloud.faults.add(Fault("stall", chunk=3, seconds=5.0))
        first = asyncio.ensure_future(world.cloud.flash(core_id, IMAGE))
        await asyncio.sleep(1.0)
        first.cancel()
        await asyncio.wait({first})
        world.cloud.faults.add(Fault("stall", chunk=2, seconds=9.0))
        return await world.cloud.flash(core_id, IMAGE), world.stored

    told, stored = in_a_virtual_world("0.2.1", work)
    assert (told["ok"], told["sent"], stored == IMAGE) == (True, 8, True)


# -- the end of a connection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "message", "ok"),
    [
        ("0.4.4 fast", "finished", True),
        ("0.4.4 fast", "done-ack", True),
        ("0.2.1", "done-ack", True),
        ("0.4.4 fast", "done", False),
        ("0.2.1", "done", False),
    ],
)
def test_after_update_done_the_next_hello_says_what_became_of_it(mode, message, ok):
    became = updated(*MODES[mode], Disturbance("cut", message), fault="drop" if message == "finished" else "")
    assert became.told["ok"] == ok
    assert ok or "without having applied it" in became.told["reason"]


def test_a_core_that_never_returns_leaves_it_unknown_in_the_end():
    async def work(world):
        await world.online()
        world.cloud.bus.subscribe(
            lambda event: world.core.power_off(world.loop.time()) if event["event"] == "done-sent" else None
        )
        return await world.cloud.flash(world.core.uid.hex(), IMAGE), world.loop.time()

    told, seconds = in_a_virtual_world("0.2.1", work)
    assert "whether it applied the image is not known" in told["reason"]
    assert seconds < 180


# -- silence, and names -----------------------------------------------------------------------------------------------


def test_a_core_that_only_hears_events_is_not_hung_up_on():
    async def work(world):
        await world.online()
        (session,) = world.cloud.sessions.values()
        session.subscriptions.append("lab")
        await world.pass_minutes(5, every=5, do=lambda: session.send_event("lab/tick", "x"))
        return session.over.done(), world.named("connected")

    assert in_a_virtual_world("0.3.4", work) == (False, 1)


def test_a_core_without_power_is_asked_once_and_given_up():
    async def work(world):
        await world.online()
        (session,) = world.cloud.sessions.values()
        sent = []
        session.connection.send = sent.append
        world.core.power_off(world.loop.time())
        await world.pass_minutes(1, every=10)
        return sent, session.over.done() and session.over.result()

    (asked,), reason = in_a_virtual_world("0.2.1", work)
    assert (Message.parse(asked).type, Message.parse(asked).code) == (Type.CON, Code.EMPTY)
    assert reason == "nothing for 30 s"


@pytest.mark.parametrize("ask", ["call", "variable"])
@pytest.mark.parametrize("name", ["", "thirteenchars", "x" * 70])
def test_a_name_that_a_core_reads_as_another_is_refused(ask, name):
    async def work(world):
        await world.online()
        (session,) = world.cloud.sessions.values()
        with pytest.raises(Misuse, match=rf"name has 1 to 12 bytes, .* has {len(name)}"):
            await getattr(session, ask)(name)
        return session.over.done()

    assert not in_a_virtual_world("0.2.1", work)


# -- the network itself -----------------------------------------------------------------------------------------------


def test_a_line_holds_delays_splits_and_merges():
    line = DelayLine()
    line.put(b"a", 0.0)
    line.put(b"bb", 1.0, Disturbance("hold", "chunk", 0, 4.0))
    line.put(b"c", 2.0)
    assert [line.take(at) for at in (0.0, 4.9, 5.0)] == [b"a", b"", b"bbc"]
    line.put(b"dd", 6.0, Disturbance("split", "chunk", 0, 1.0))
    assert [line.take(at) for at in (6.0, 6.9, 7.0)] == [b"d", b"", b"d"]
    line.put(b"e", 8.0, Disturbance("merge", "chunk", 0, 3.0))
    line.put(b"f", 9.0)
    assert [line.take(at) for at in (8.9, 9.0)] == [b"", b"ef"]
    line.put(b"g", 20.0, Disturbance("delay", "chunk", 0, 2.0))
    line.put(b"h", 21.0)
    assert [line.take(at) for at in (21.9, 22.0, 23.0)] == [b"", b"g", b"h"]


@pytest.mark.parametrize(
    ("kind", "message", "seconds", "told"),
    [("swap", "chunk", 1, "hold, delay"), ("hold", "chunks", 1, "begin, chunk"), ("hold", "chunk", 0, "no sense")],
)
def test_a_disturbance_that_cannot_be_is_refused(kind, message, seconds, told):
    with pytest.raises(Misuse) as refused:
        Disturbances().add(Disturbance(kind, message, 0, seconds))
    assert told in f"{refused.value.message} {refused.value.hint}"


def test_an_update_tells_what_it_came_to():
    became = updated("0.2.1", False)
    assert isinstance(became, Updated)
    assert (became.told["ok"], became.told["damage"], became.disturbed) == (True, "", 0)
