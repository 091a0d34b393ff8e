"""What a Core answers by its firmware's version: calls of functions, and its description.

Sources and numbers are those of test_core_updates.py.
"""

from __future__ import annotations

from rig.families.spark_core.formats.coap import Code, Message, Type, path
from rig.families.spark_core.twin.app.user_code import UserCode
from tests.rig.families.spark_core.twin.checks_online import OWN, Talk, hangs_up


def test_a_long_argument_of_0_4_runs_the_function_with_the_one_before():
    """T5: v0.4.4 spark_protocol.cpp:1311 and the code 1 of line 40; v0.4.9 says 4.00; older ones hang up."""
    for version, refusal in (("0.4.4", 1), ("0.4.9", Code.BAD_REQUEST)):
        talk = Talk(version)
        talk.call(b"length", b"seven77")
        said: list[Message] = []
        assert not hangs_up(lambda talk=talk, said=said: said.extend(talk.call(b"length", b"x" * 64))), version
        refused, result = said
        assert (refused.type, refused.code, refused.token) == (Type.ACK, refusal, b""), version
        assert result.payload == (7).to_bytes(4, "big"), version
    for version in ("0.2.1", "0.3.4"):
        assert hangs_up(lambda version=version: Talk(version).call(b"length", b"x" * 64)), version


def test_the_length_of_a_result_is_what_an_event_left():
    """T10: spark_3 spark_protocol.cpp:793 does not write it anew; spark_4 does. An event that is short leaves it."""
    mended = {}
    for version in ("0.2.0", "0.2.1"):
        talk = Talk(version)
        talk.send(Code.POST, (*path(b"f", b"echo"), (15, b"x" * 30)))
        mended[version] = talk.raw[-1][:2] == b"\0\x10"
    assert mended == {"0.2.0": False, "0.2.1": True}
    talk = Talk("0.2.0", UserCode({"f": lambda _argument, publish: publish(OWN)}))
    assert [message.code for message in talk.call(b"f", b"x" * 20)][-1] == Code.CHANGED


def test_a_long_name_is_read_as_an_argument():
    """Four bits of a name's length are read: 13 and more make the firmware read its own name as the argument."""
    assert [message.code for message in Talk("0.2.1").call(b"a" * 13, b"")] == [Code.EMPTY, Code.CHANGED]
    assert hangs_up(lambda: Talk("0.2.1").call(b"abcdefghijklm~~~~~", b"")), "0x6d, taken for 13 more than 0x7e"


def test_a_call_without_an_argument_gets_its_padding():
    """What is read for an argument's length is padding, 02; behind the last byte lies the acknowledgement's zero."""
    _, result = Talk("0.2.1").call(b"length", None)
    assert result.payload == (1).to_bytes(4, "big")


def test_four_functions_and_ten_variables_are_kept_before_0_4():
    """spark_utilities.h of spark_4; system_cloud.cpp of v0.4.4 takes any number, but no name over 12 bytes."""
    user = UserCode({f"f{n}": lambda *_: 0 for n in range(6)}, {f"v{n}": (2, n) for n in range(12)})
    for version, kept in (("0.2.1", (4, 10)), ("0.4.4", (6, 12))):
        told = Talk(version, user).say(Code.GET, path(b"d"))[0].payload
        assert (told.count(b'"f'), told.count(b'"v')) == tuple(number + 1 for number in kept), version


def test_modules_are_described_from_0_4_on():
    for version, answers in (("0.3.4", 1), ("0.4.0", 1), ("0.4.4", 2)):
        told = Talk(version).say(Code.GET, path(b"d"))
        assert len(told) == answers, version
        assert told[0].payload.endswith(b',"p":0,"m":[]}') == (version >= "0.4"), version
