"""Connections of a Core by its firmware's version: handshake, presence, pauses, and what is read of a stream.

Sources and numbers are those of test_core_updates.py.
"""

from __future__ import annotations

from rig.families.spark_core.formats.messages import Subscription
from rig.families.spark_core.twin.app.user_code import UserCode
from rig.twin.tcp import Link
from tests.rig.families.spark_core.twin.checks_online import OWN, Talk, hangs_up
from tests.rig.families.spark_core.twin.core_in_a_lab import Lab, brief, core_key, server_hello


def test_after_a_failed_handshake_older_cores_go_on_with_the_keys_they_have():
    """T9: Spark_Handshake of spark_4 and spark_11 looks at its result at the end only; v0.4.4 leaves at once."""
    labs = {version: Lab(version) for version in ("0.2.1", "0.2.2", "0.3.4", "0.4.4")}
    for lab in labs.values():
        lab.connect()
        lab.shake_hands(core_key(1))
    told = {version: brief(lab.said_without_a_key()) for version, lab in labs.items()}
    assert told == {"0.2.1": [], "0.2.2": ["t"], "0.3.4": ["t", "E:spark/cc3000-patch-version"], "0.4.4": []}
    assert labs["0.4.4"].core.radio.link is not Link.OPEN
    old = labs["0.2.1"]
    old.pass_time(19.9)
    assert old.said_without_a_key() == []
    old.pass_time(0.2)
    assert brief(old.said_without_a_key()) == ["ping"], "garbage to its server"
    assert old.times("close") == []
    old.pass_time(20)
    assert old.times("close") != [], "nobody has answered it for ten seconds"


def test_what_follows_a_hello_has_an_order():
    """T11: Spark_Handshake, spark_11 spark_utilities.cpp:716, v0.4.4 system_cloud.cpp:448; then setup()."""
    user = UserCode(subscriptions=[Subscription("mine")], after_hello=[OWN])
    radio, system = "E:spark/cc3000-patch-version", ["E:spark/hardware/max_binary", "E:spark/hardware/ota_chunk_size"]
    assert brief(Lab("0.2.1", user).come_online()) == ["h", "e:own"]
    assert brief(Lab("0.2.2", user).come_online()) == ["h", "t", "e:mine", "e:own"]
    assert brief(Lab("0.3.4", user).come_online()) == ["h", "t", radio, "e:mine", "e:own"]
    assert brief(Lab("0.4.4", user).come_online()) == ["h", *system, radio, "e:spark", "t", "e:mine", "e:own"]


def test_presence_is_announced_by_version():
    """T11: three times, once from 0.3.2 on (spark_9), and after a failure too until 0.4."""
    for version, success, failure in (
        ("0.2.1", 3, 3),
        ("0.3.1", 3, 3),
        ("0.3.2", 1, 1),
        ("0.3.4", 1, 1),
        ("0.4.4", 1, 0),
    ):
        counts = []
        for key in (core_key(0), core_key(1)):
            lab = Lab(version)
            lab.connect()
            lab.shake_hands(key)
            counts.append(len(lab.times("announce")))
        assert counts == [success, failure], version


def pauses(version: str, count: int) -> list[float]:
    """Seconds between a handshake that failed and the next connection, as often."""
    lab, found = Lab(version), []
    for _ in range(count):
        lab.connect()
        lab.shake_hands(core_key(1))
        failed = lab.times("close")[-1]
        while len(lab.times("connect")) <= len(lab.times("close")):
            assert lab.core.step()
        found.append(round(lab.times("connect")[-1] - failed, 1))
    return found


def test_failures_are_followed_by_longer_and_longer_pauses():
    """T11: v0.4.4 system_utilities.cpp:15, five times each of 1 to 128 s; another rule before, none before 0.4."""
    assert pauses("0.4.4", 12) == [1] * 5 + [2] * 5 + [4] * 2
    assert pauses("0.4.0", 4) == [0.5, 1.5, 3.5, 7.5]
    lab = Lab("0.4.4")
    assert lab.core.dialect.backs_off(36) == lab.core.dialect.backs_off(999) == 128
    lab.come_online()
    lab.lose()
    lost = lab.core.time
    lab.connect()
    assert lab.core.time - lost < 0.1, "who was online is back at once"
    assert Lab("0.3.4").core.dialect.backs_off(9) == 0


def test_a_byte_that_comes_alone_is_lost_by_every_version():
    """event_loop reads two bytes, and forgets one that came alone (spark_3 to v0.4.9)."""
    for version in ("0.2.0", "0.2.1", "0.3.4", "0.4.4"):
        lab = Lab(version)
        lab.come_online()
        lab.data(b"\0")
        lab.say(server_hello())
        assert "server-hello" in [event.name for event in lab.core.events], f"{version}: the frame after it is whole"


def test_padding_is_never_looked_at():
    """received_message deciphers and dispatches; a frame that was damaged on the way ends nothing."""
    for version in ("0.2.1", "0.3.4", "0.4.4"):
        talk = Talk(version)
        assert not hangs_up(lambda talk=talk: talk.do(talk.conversation.handle(bytes(range(32))))), version


def test_a_connection_begins_where_the_last_one_ended():
    """last_message_millis and expecting_ping_ack outlast a connection: who was silent for long is pinged at once."""
    lab = Lab("0.3.4")
    lab.come_online()
    lab.say(server_hello())
    lab.pass_time(14)
    lab.lose()
    lab.connect()
    lab.pass_time(2)
    lab.shake_hands()
    assert brief(lab.said())[-1] == "ping"
    assert brief(Lab("0.3.4").come_online())[-1] != "ping"
