"""Messages, frames, the handshake and key layouts of the Spark cloud: recorded bytes, and bytes of any kind."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from rig.families.spark_core.formats.cipher import Opener, Sealer
from rig.families.spark_core.formats.coap import Malformed, Message, Type
from rig.families.spark_core.formats.core_key_der import read_core_key
from rig.families.spark_core.formats.handshake import Credentials, answer, introduce, is_signed, read_introduction
from rig.families.spark_core.formats.messages import Hello, Published, UpdateBegin
from rig.families.spark_core.trust.core_key import core_public_key
from tests.rig.families.spark_core.twin.recordings import load
from tests.rig.families.spark_core.twin.session_recordings import private_der, public_der, session, sessions

LAYOUTS = load("spark/key_layouts.json")


def frames():
    for name in sessions():
        for connection in session(name)["connections"]:
            yield from connection["frames"]


def test_every_recorded_message_is_parsed_as_recorded_and_packed_to_the_same_bytes():
    count = 0
    for frame in frames():
        if frame.get("plaintext") is None:
            continue
        plain, told = bytes.fromhex(frame["plaintext"]), frame["coap"]
        message = Message.parse(plain)
        assert message.pack() == plain
        assert (message.type.name, f"{message.code >> 5}.{message.code & 31:02}") == (told["type"], told["code"])
        assert [[number, value.hex()] for number, value in message.options] == told["options"]
        assert (message.mid, message.token.hex()) == (told["mid"], told["token"])
        assert (message.payload.hex() if message.payload is not None else None) == told["payload"]
        count += 1
    assert count > 500


@pytest.mark.parametrize("direction", ["S2C", "C2S"])
@pytest.mark.parametrize("name", [name for name in sessions() if session(name)["connections"][0]["frames"]])
def test_every_recorded_frame_is_opened_and_sealed_again(name, direction):
    for connection in session(name)["connections"]:
        raw = bytes.fromhex(connection["handshake"][2]["credentials"])
        opener, sealer = Credentials(raw).opener(), Credentials(raw).sealer()
        for frame in connection["frames"]:
            if frame["dir"] != direction or frame.get("ciphertext") is None:
                continue
            sealed, plain = bytes.fromhex(frame["ciphertext"]), bytes.fromhex(frame["plaintext"])
            assert opener.open(sealed) == plain
            assert sealer.seal(plain) == len(sealed).to_bytes(2, "big") + sealed


@given(st.binary(max_size=80))
def test_bytes_of_any_kind_are_a_message_or_malformed(raw):
    try:
        message = Message.parse(raw)
    except Malformed:
        return
    assert Message.parse(message.pack()) == message


@given(st.lists(st.binary(max_size=200), max_size=5), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_is_opened_in_order(plains, iv):
    sealer, opener = Sealer(bytes(16), iv), Opener(bytes(16), iv)
    assert [opener.open(sealer.seal(plain)[2:]) for plain in plains] == plains


@given(st.binary(max_size=100))
def test_noise_is_opened_or_malformed(noise):
    plain = None
    with contextlib.suppress(Malformed):
        plain = Opener(bytes(16), bytes(16)).open(noise)
    assert plain is None or (len(noise) % 16 == 0 and len(noise) - 16 <= len(plain) < len(noise))


@given(st.builds(UpdateBegin, st.integers(0, 2**32 - 1), st.integers(0, 0xFFFF), st.booleans()))
def test_an_update_begin_is_read_as_it_was_written(begin):
    assert UpdateBegin.unpack(begin.pack()) == begin


NAMES = st.text("abc/", min_size=1, max_size=20).map(lambda name: f"x{name}")
DATA = st.none() | st.text("xyz", min_size=1, max_size=63)
EVENTS = st.builds(Published, NAMES, DATA, st.booleans(), st.integers(0, 2**24 - 1))


@given(EVENTS)
def test_an_event_is_read_as_it_was_published(event):
    assert Published.unpack(Message.parse(event.pack(1))) == event


@given(st.builds(Hello, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.booleans(), st.none() | st.integers(0, 9)))
def test_a_hello_is_read_as_it_was_written(hello):
    message = Message.parse(hello.pack(7))
    assert (Hello.unpack(message), message.mid, message.type) == (hello, 7, Type.NON)


def test_an_event_without_a_name_is_malformed():
    for plain in ("510200010131 65", "5002000 1b165"):
        with pytest.raises(Malformed):
            Published.unpack(Message.parse(bytes.fromhex(plain.replace(" ", ""))))


def keys():
    server = serialization.load_der_private_key(private_der("server"), None)
    other = serialization.load_der_private_key(private_der("other_server"), None)
    core = serialization.load_der_public_key(public_der("device_0_2_1"))
    return server, other, core


def test_both_sides_of_the_handshake_agree_and_nobody_else_does():
    server, other, core = keys()
    nonce, core_id, credentials = bytes(range(40)), bytes(range(12)), Credentials(bytes(range(100, 140)))
    block = introduce(server.public_key(), nonce, core_id)
    told = read_introduction(server, block)
    assert (told.nonce, told.core_id, told.public_key) == (nonce, core_id, b"")
    foreign = read_introduction(other, block)
    assert foreign is None or foreign.nonce != nonce
    reply = answer(server, core, credentials)
    assert read_core_key(private_der("device_0_2_1")).decrypt(reply[:128]) == credentials.raw
    assert is_signed(server.public_key(), credentials, reply)
    assert not is_signed(other.public_key(), credentials, reply)
    assert not is_signed(server.public_key(), credentials, reply[:-1] + bytes([reply[-1] ^ 1]))


@pytest.mark.parametrize(
    "entry", LAYOUTS["reads_correctly"] + LAYOUTS["misread"], ids=lambda entry: entry["der"][24:40]
)
def test_a_key_is_read_as_the_core_reads_it(entry):
    der = bytes.fromhex(entry["der"])
    numbers = read_core_key(der)
    for field, value in entry.get("core_reads", {}).items():
        assert getattr(numbers, field).hex() == value
    public = serialization.load_der_public_key(bytes.fromhex(entry["public_spki_der"]))
    sealed = public.encrypt(b"x" * 40, padding.PKCS1v15())
    assert (numbers.decrypt(sealed) == b"x" * 40) == entry["core_reads_correctly"]


@given(st.binary(max_size=700))
def test_noise_where_a_key_should_be_is_read_too(noise):
    numbers = read_core_key(noise)
    assert [len(number) for number in (numbers.n, numbers.d, numbers.p, numbers.qinv)] == [128, 128, 64, 64]
    assert numbers.decrypt(bytes(128)) is None


@pytest.mark.parametrize("entry", LAYOUTS["misread"], ids=lambda key: key["der"][24:40])
def test_a_key_that_would_be_misread_is_not_accepted(entry):
    assert core_public_key(bytes.fromhex(entry["der"])) is None
