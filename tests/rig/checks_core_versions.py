"""Named checks of test_mutants: what one version of a Core's firmware does and another does not, each on both sides.

Sources: core-communication-lib and core-firmware at spark_3 (0.2.0) to spark_11 (0.3.4), device-os at v0.4.0, v0.4.4
and v0.4.9 (communication/src/spark_protocol.cpp, system/src/system_cloud.cpp, system_task.cpp, system_update.cpp).
"""

from __future__ import annotations

from checks_core_online import CHUNKS, NEW, SIZE, Talk
from core_in_a_lab import Lab, brief, core_key, server_hello

from rig.formats import spark_flash as layout
from rig.formats.spark_coap import Code, Message, Type, path
from rig.formats.spark_messages import Published, Subscription, chunk_options, missed_indices
from rig.twin.spark_core.app.hang_up import HangUp
from rig.twin.spark_core.app.user_code import UserCode
from rig.twin.tcp import Link

OWN = Published("own", "x")


def hangs_up(action) -> bool:
    try:
        action()
    except HangUp:
        return True
    return False


def fast_with_loss(version: str) -> list[Message]:
    """A fast update that lost one chunk; returns what the Core says to that chunk when it comes in the end."""
    talk = Talk(version)
    talk.begin(fast=True)
    for index in range(1, len(CHUNKS)):
        talk.chunk(index, index)
    refused, asked = talk.done()
    assert (refused.code, missed_indices(asked.payload)) == (Code.BAD_REQUEST, [0])
    said = talk.chunk(0, 0)
    assert talk.was_reset
    return said


def a_fast_update_with_loss_ends_in_a_reset_and_no_word(_folder):
    """T1: v0.4.4 spark_protocol.cpp:1158 finishes first, and system_update.cpp:165 resets; v0.4.9 says it before."""
    assert brief(fast_with_loss("0.4.4")) == ["ping"], "the chunk's acknowledgement, an empty message, and nothing more"
    assert brief(fast_with_loss("0.4.9")) == ["ping", "u"]


def fifty_chunks_are_asked_for_at_once(_folder):
    """T2: v0.4.4 spark_protocol.cpp:132. Before 0.4 it is one at a time."""
    talk = Talk("0.4.4")
    talk.begin(fast=True, size=120 * SIZE)
    assert missed_indices(talk.done()[1].payload) == list(range(50))
    for index in range(49):
        assert brief(talk.chunk(0, index)) == ["ping"]
    assert missed_indices(talk.chunk(0, 49)[1].payload) == list(range(50, 100))
    old = Talk("0.3.4")
    old.begin()
    assert missed_indices(old.pass_time(3.1)[0].payload) == [0]


def refused_events_count_for_the_rate(_folder):
    """T3: the ring of five times is written before it is looked at (spark_4 spark_protocol.cpp:456, v0.4.4:529)."""
    for version in ("0.2.0", "0.2.1", "0.3.4", "0.4.4"):
        talk, sent = Talk(version), 0
        for _ in range(24):
            sent += talk.conversation.publish(OWN)
            talk.board.time += 0.1
        assert sent == 4, version
        talk.board.time += 1
        assert talk.conversation.publish(OWN), version


def events_of_the_system_are_outside_the_burst_of_0_4(_folder):
    """T4: v0.4.4 spark_protocol.cpp:522. In 0.3.4 the radio's version takes one of the four."""
    user = UserCode(after_hello=[OWN] * 6)
    told = {version: brief(Lab(version, user).come_online()) for version in ("0.3.4", "0.4.4")}
    assert {version: names.count("e:own") for version, names in told.items()} == {"0.3.4": 3, "0.4.4": 4}
    talk = Talk("0.4.4")
    assert all(talk.conversation.publish(Published("SPARK/x")) for _ in range(255))
    assert not talk.conversation.publish(Published("spark/x")), "255 in 65 s"


def a_long_argument_of_0_4_runs_the_function_with_the_one_before(_folder):
    """T5: v0.4.4 spark_protocol.cpp:1311 and the code 1 of line 40; v0.4.9 says 4.00; older ones hang up."""
    for version, refusal in (("0.4.4", 1), ("0.4.9", Code.BAD_REQUEST)):
        talk = Talk(version)
        talk.call(b"length", b"seven77")
        refused, result = talk.call(b"length", b"x" * 64)
        assert (refused.type, refused.code, refused.token) == (Type.ACK, refusal, b""), version
        assert result.payload == (7).to_bytes(4, "big"), version
    for version in ("0.2.1", "0.3.4"):
        assert hangs_up(lambda version=version: Talk(version).call(b"length", b"x" * 64)), version


def an_update_of_any_size_and_place_is_accepted(_folder):
    """T6: v0.4.4 spark_protocol.cpp:1046 only counts chunks, system_update.cpp:104 checks nothing."""
    talk = Talk("0.4.4")
    acknowledged, ready = talk.begin(size=120_000)
    assert (acknowledged.code, ready.code) == (Code.EMPTY, Code.CHANGED)
    assert [message.code for message in talk.begin(store=1, address=0x10_0000)] == [Code.EMPTY, Code.CHANGED]
    assert [message.code for message in talk.chunk(0)] == [Code.EMPTY, Code.CHANGED]
    assert talk.slot(1) == b"\xff" * SIZE, "acknowledged, and not stored"
    talk.done()
    assert not talk.was_reset
    (refused,) = talk.say(Code.POST, path(b"u"), bytes.fromhex("00 0001 00010000 00 00000000"))
    assert refused.code == 1, "65,536 chunks are too many"


def erases_what_the_update_needs(_folder):
    """Before 0.4 the whole slot, whatever is told; from then on what the size needs."""
    erased = {}
    for version in ("0.2.1", "0.4.4"):
        talk = Talk(version)
        start = len(talk.board.memory.journal.runs)
        talk.begin(size=20_000)
        runs = talk.board.memory.journal.runs[start:]
        erased[version] = sum(run.count for run in runs if run.kind == "xerase")
    assert erased == {"0.2.1": 32, "0.4.4": 5}


def a_subscription_of_0_3_is_lost_with_its_connection(_folder):
    """T7: spark_11 spark_utilities.cpp, subscribe() sends once, from setup(); v0.4.4 repeats (spark_protocol.cpp:633)."""
    user = UserCode(subscriptions=[Subscription("rig/")])
    for version, later in (("0.3.4", 0), ("0.4.4", 1)):
        lab = Lab(version, user)
        counts = []
        for _ in range(2):
            counts.append(brief(lab.come_online()).count("e:rig/"))
            lab.lose()
        assert counts == [1, later], version


def spark_is_always_subscribed_to_from_0_4(_folder):
    """T8: v0.4.4 system_cloud.cpp:436."""
    for version, count in (("0.2.1", 0), ("0.3.4", 0), ("0.4.4", 1)):
        assert brief(Lab(version).come_online()).count("e:spark") == count, version


def subscriptions_say_whose_events_they_want(_folder):
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


def after_a_failed_handshake_older_cores_go_on_with_the_keys_they_have(_folder):
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


def the_length_of_a_result_is_what_an_event_left(_folder):
    """T10: spark_3 spark_protocol.cpp:793 does not write it anew; spark_4 does. An event that is short leaves it."""
    mended = {}
    for version in ("0.2.0", "0.2.1"):
        talk = Talk(version)
        talk.send(Code.POST, (*path(b"f", b"echo"), (15, b"x" * 30)))
        mended[version] = talk.raw[-1][:2] == b"\0\x10"
    assert mended == {"0.2.0": False, "0.2.1": True}
    talk = Talk("0.2.0", UserCode({"f": lambda _argument, publish: publish(OWN)}))
    assert [message.code for message in talk.call(b"f", b"x" * 20)][-1] == Code.CHANGED


def what_follows_a_hello_has_an_order(_folder):
    """T11: Spark_Handshake, spark_11 spark_utilities.cpp:716 and v0.4.4 system_cloud.cpp:448; setup() comes after it."""
    user = UserCode(subscriptions=[Subscription("mine")], after_hello=[OWN])
    radio, system = "E:spark/cc3000-patch-version", ["E:spark/hardware/max_binary", "E:spark/hardware/ota_chunk_size"]
    assert brief(Lab("0.2.1", user).come_online()) == ["h", "e:own"]
    assert brief(Lab("0.2.2", user).come_online()) == ["h", "t", "e:mine", "e:own"]
    assert brief(Lab("0.3.4", user).come_online()) == ["h", "t", radio, "e:mine", "e:own"]
    assert brief(Lab("0.4.4", user).come_online()) == ["h", *system, radio, "e:spark", "t", "e:mine", "e:own"]


def presence_is_announced_by_version(_folder):
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


def failures_are_followed_by_longer_and_longer_pauses(_folder):
    """T11: v0.4.4 system_utilities.cpp:15, five times each of 1, 2, 4 … 128 s; another rule before it, none before 0.4."""
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


# -- what no version says in its notes, and a server meets ------------------------------------------------------------


def a_byte_that_comes_alone_is_lost_by_every_version(_folder):
    """event_loop reads two bytes, and forgets one that came alone (spark_3 to v0.4.9)."""
    for version in ("0.2.0", "0.2.1", "0.3.4", "0.4.4"):
        lab = Lab(version)
        lab.come_online()
        lab.data(b"\0")
        lab.say(server_hello())
        assert "server-hello" in [event.name for event in lab.core.events], f"{version}: the frame after it is whole"


def padding_is_never_looked_at(_folder):
    """received_message deciphers and dispatches; a frame that was damaged on the way ends nothing."""
    for version in ("0.2.1", "0.3.4", "0.4.4"):
        talk = Talk(version)
        assert not hangs_up(lambda talk=talk: talk.do(talk.conversation.handle(bytes(range(32))))), version


def a_long_name_is_read_as_an_argument(_folder):
    """Four bits of a name's length are read: 13 and more make the firmware read its own name as the argument."""
    assert [message.code for message in Talk("0.2.1").call(b"a" * 13, b"")] == [Code.EMPTY, Code.CHANGED]
    assert hangs_up(lambda: Talk("0.2.1").call(b"abcdefghijklm~~~~~", b"")), "0x6d, taken for 13 more than 0x7e"


def a_call_without_an_argument_gets_its_padding(_folder):
    """What is read for an argument's length is padding, 02; behind the last byte lies the acknowledgement's zero."""
    _, result = Talk("0.2.1").call(b"length", None)
    assert result.payload == (1).to_bytes(4, "big")


def a_connection_begins_where_the_last_one_ended(_folder):
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


def an_update_of_0_4_outlasts_its_connection(_folder):
    """v0.4.4 calls no reset_updating at a handshake: events are held back, and SysTick resets it 30 s after a chunk."""
    told = {}
    for version in ("0.3.4", "0.4.4"):
        lab = Lab(version, UserCode(after_hello=[OWN]))
        lab.come_online()
        lab.say(Message(Type.CON, Code.POST, 1, b"\1", path(b"u")).pack())
        lab.pass_time(2)
        lab.lose()
        told[version] = "e:own" in brief(lab.come_online())
        lab.pass_time(31)
        told[version] = told[version], "update-timeout" in [event.name for event in lab.core.events]
    assert told == {"0.3.4": (True, False), "0.4.4": (False, True)}


def only_good_chunks_keep_systick_from_resetting(_folder):
    """TimingFlashUpdateTimeout is cleared when a chunk is stored; a damaged one only puts off the question for it."""
    for version in ("0.2.1", "0.4.4"):
        talk = Talk(version)
        talk.begin()
        for _ in range(15):
            talk.say(Code.POST, ((11, b"c"), (15, bytes(4))), CHUNKS[0])
            talk.pass_time(2)
        assert talk.was_reset, version


def a_chunk_is_stored_without_an_update_before_0_4(_folder):
    """handle_received_message of spark_4 asks nobody; the address is where the last update ended, at first 0."""
    old, new = Talk("0.2.1"), Talk("0.4.4")
    before = old.board.memory.external.peek(0, SIZE)
    assert [message.code for message in old.chunk(0)] == [Code.EMPTY, Code.CHANGED]
    assert before == b"\xff" * SIZE
    assert old.board.memory.external.peek(0, SIZE) == CHUNKS[0]
    assert [message.code for message in new.chunk(0)] == [Code.EMPTY]


def slow_and_fast_chunks_of_0_4_lie_at_their_index(_folder):
    """A chunk that comes twice lies twice in a slow update of any version, and once in a fast one."""
    for version, fast, slots in (("0.2.1", False, (0, 1, 1)), ("0.4.4", False, (0, 1, 1)), ("0.4.4", True, (0, 1))):
        talk = Talk(version)
        talk.begin(fast=fast)
        for index in (0, 1, 1):
            talk.chunk(index, index if fast else None)
        expected = b"".join(CHUNKS[index] for index in slots).ljust(3 * SIZE, b"\xff")
        assert talk.slot(3) == expected, (version, fast)


def what_flash_cannot_take_holds_0_4_until_it_is_reset(_folder):
    """FLASH_Update of v0.4.4 writes until it reads what it wrote; 0.2.1 erases the sector and asks again."""
    told = {}
    for version in ("0.2.1", "0.4.4"):
        talk = Talk(version)
        talk.begin(size=SIZE)
        run = talk.board.memory.external.programming(layout.OTA_ADDRESS, bytes(SIZE))
        talk.board.memory.external.perform(run, 0, run.count)
        said = talk.say(Code.POST, chunk_options(b"x" * SIZE), b"x" * SIZE)
        told[version] = brief(said), talk.was_reset
    assert told == {"0.2.1": (["ping", "c"], False), "0.4.4": (["ping"], True)}


def a_worn_cell_is_written_twice_by_0_4(_folder):
    talk = Talk("0.4.4")
    talk.begin()
    talk.board.memory.worn_out[layout.OTA_ADDRESS + 100] = 2
    assert [message.code for message in talk.chunk(0)] == [Code.EMPTY, Code.CHANGED]
    assert talk.slot(1) == CHUNKS[0]


def a_slow_chunk_is_asked_for_until_0_4_4(_folder):
    """v0.4.0 still asks for it (spark_protocol.cpp:174), v0.4.4 has that commented out."""
    for version, asks in (("0.3.4", True), ("0.4.0", True), ("0.4.4", False)):
        talk = Talk(version)
        talk.begin()
        assert bool(talk.pass_time(3.1)) == asks, version


def any_content_is_taken_for_the_time(_folder):
    """CoAP code 2.05 is a time, whatever its token; 0.2.1 knows no such code."""
    for version, known in (("0.2.1", False), ("0.2.2", True), ("0.4.4", True)):
        talk = Talk(version)
        talk.say(Code.CONTENT, (), b"\x53\0\0\0")
        assert ("time:1392508928" in [event.name for event in talk.board.events]) == known, version


def data_of_events_is_cut_by_version(_folder):
    """63 bytes, from 0.4.2 on 255 (events.cpp)."""
    for version, length in (("0.2.1", 63), ("0.3.4", 63), ("0.4.4", 255)):
        talk = Talk(version)
        (event,) = talk.does(lambda talk=talk: talk.conversation.publish(Published("n" * 99, "d" * 999)))
        assert (len(event.payload), len(event.options[1][1])) == (length, 63), version


def four_functions_and_ten_variables_are_kept_before_0_4(_folder):
    """spark_utilities.h of spark_4; system_cloud.cpp of v0.4.4 takes any number, but no name over 12 bytes."""
    user = UserCode({f"f{n}": lambda *_: 0 for n in range(6)}, {f"v{n}": (2, n) for n in range(12)})
    for version, kept in (("0.2.1", (4, 10)), ("0.4.4", (6, 12))):
        told = Talk(version, user).say(Code.GET, path(b"d"))[0].payload
        assert (told.count(b'"f'), told.count(b'"v')) == tuple(number + 1 for number in kept), version


def modules_are_described_from_0_4_on(_folder):
    for version, answers in (("0.3.4", 1), ("0.4.0", 1), ("0.4.4", 2)):
        told = Talk(version).say(Code.GET, path(b"d"))
        assert len(told) == answers, version
        assert told[0].payload.endswith(b',"p":0,"m":[]}') == (version >= "0.4"), version


def the_whole_image_fits(_folder):
    """A whole update of each kind, so that the checks above are about what goes wrong only."""
    for version, fast in (("0.2.0", False), ("0.2.1", False), ("0.3.4", False), ("0.4.4", False), ("0.4.4", True)):
        talk = Talk(version)
        talk.begin(fast=fast)
        for index in range(len(CHUNKS)):
            assert [message.code for message in talk.chunk(index, index if fast else None)][1] == Code.CHANGED
        talk.done()
        assert talk.was_reset, (version, fast)
        assert talk.slot(len(CHUNKS))[: len(NEW)] == NEW.data, (version, fast)
