"""Events and subscriptions of a Core by its firmware's version: each difference that a server can meet.

Sources and numbers are those of test_core_updates.py.
"""

from __future__ import annotations

from rig.families.spark_core.formats.coap import Code
from rig.families.spark_core.formats.messages import Published, Subscription
from rig.families.spark_core.twin.app.user_code import UserCode
from tests.rig.families.spark_core.twin.checks_online import OWN, Talk
from tests.rig.families.spark_core.twin.core_in_a_lab import Lab, brief


def test_refused_events_count_for_the_rate():
    """T3: the ring of five times is written before it is looked at (spark_4 spark_protocol.cpp:456, v0.4.4:529)."""
    for version in ("0.2.0", "0.2.1", "0.3.4", "0.4.4"):
        talk, sent = Talk(version), 0
        for _ in range(24):
            sent += talk.conversation.publish(OWN)
            talk.board.time += 0.1
        assert sent == 4, version
        talk.board.time += 1
        assert talk.conversation.publish(OWN), version


def test_events_of_the_system_are_outside_the_burst_of_0_4():
    """T4: v0.4.4 spark_protocol.cpp:522. In 0.3.4 the radio's version takes one of the four."""
    user = UserCode(after_hello=[OWN] * 6)
    told = {version: brief(Lab(version, user).come_online()) for version in ("0.3.4", "0.4.4")}
    assert {version: names.count("e:own") for version, names in told.items()} == {"0.3.4": 3, "0.4.4": 4}
    talk = Talk("0.4.4")
    assert all(talk.conversation.publish(Published("SPARK/x")) for _ in range(255))
    assert not talk.conversation.publish(Published("spark/x")), "255 in 65 s"


def test_a_subscription_of_0_3_is_lost_with_its_connection():
    """T7: spark_11 spark_utilities.cpp, subscribe(): once, from setup(); v0.4.4 spark_protocol.cpp:633 repeats."""
    user = UserCode(subscriptions=[Subscription("rig/")])
    for version, later in (("0.3.4", 0), ("0.4.4", 1)):
        lab = Lab(version, user)
        counts = []
        for _ in range(2):
            counts.append(brief(lab.come_online()).count("e:rig/"))
            lab.lose()
        assert counts == [1, later], version


def test_spark_is_always_subscribed_to_from_0_4():
    """T8: v0.4.4 system_cloud.cpp:436."""
    for version, count in (("0.2.1", 0), ("0.3.4", 0), ("0.4.4", 1)):
        assert brief(Lab(version).come_online()).count("e:spark") == count, version


def test_subscriptions_say_whose_events_they_want():
    """spark_5 events.cpp, subscription(): a query `u` for my devices, the id of one device as payload."""
    wanted = [Subscription("a"), Subscription("b", mine=True), Subscription("c", device="0123456789abcdef")]
    lab = Lab("0.4.4", UserCode(subscriptions=wanted))
    told = [message for message in lab.come_online() if message.path == b"e"]
    assert [(m.options[-1], m.payload) for m in told[1:4]] == [
        ((11, b"a"), None),
        ((15, b"u"), None),
        ((11, b"c"), b"0123456789abcdef"),
    ]
    lab.lose()
    told = [message for message in lab.come_online() if message.path == b"e"]
    assert told[3].payload == b"0123456789ab", "twelve bytes of it are kept"


def test_data_of_events_is_cut_by_version():
    """63 bytes, from 0.4.2 on 255 (events.cpp)."""
    for version, length in (("0.2.1", 63), ("0.3.4", 63), ("0.4.4", 255)):
        talk = Talk(version)
        (event,) = talk.does(lambda talk=talk: talk.conversation.publish(Published("n" * 99, "d" * 999)))
        assert (len(event.payload), len(event.options[1][1])) == (length, 63), version


def test_any_content_is_taken_for_the_time():
    """CoAP code 2.05 is a time, whatever its token; 0.2.1 knows no such code."""
    for version, known in (("0.2.1", False), ("0.2.2", True), ("0.4.4", True)):
        talk = Talk(version)
        talk.say(Code.CONTENT, (), b"\x53\0\0\0")
        assert ("time:1392508928" in [event.name for event in talk.board.events]) == known, version
