"""The protocol of an ESP32's loaders: frames and packets, and noise that must not matter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.families.esp32.formats.loader import (
    SYNC_DATA,
    Malformed,
    Op,
    Reply,
    Request,
    RomError,
    StubError,
    block,
    checksum,
)
from rig.formats import slip
from tests.rig.families.esp32.twin.models import KINDS, kind, refused

SYNC = slip.frame(Request(Op.SYNC, SYNC_DATA).pack())

# -- frames and packets ------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.integers(1, 7))
def test_frames_come_back_however_the_stream_is_cut(payloads, step):
    stream = b"".join(slip.frame(payload) for payload in payloads)
    decoder = slip.SlipDecoder(50)
    got = [frame for at in range(0, len(stream), step) for frame in decoder.feed(stream[at : at + step])]
    assert got == payloads


@given(st.binary(max_size=200).filter(lambda noise: b"\xc0" not in noise), st.binary(min_size=1, max_size=50))
def test_noise_before_the_first_frame_is_not_heard(noise, payload):
    assert slip.SlipDecoder(50).feed(noise + slip.frame(payload)) == [payload]


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=50))
def test_a_frame_after_any_noise_is_heard(noise, payload):
    decoder = slip.SlipDecoder(50)
    decoder.feed(noise)
    assert decoder.feed(slip.frame(payload))[-1] == payload


@given(st.integers(51, 400), st.binary(min_size=1, max_size=50))
def test_a_frame_that_is_too_long_is_dropped_and_the_next_one_heard(length, payload):
    decoder = slip.SlipDecoder(50)
    assert decoder.feed(slip.frame(b"\xdb" * length) + slip.frame(payload)) == [payload]


def test_an_endless_frame_takes_no_endless_memory():
    decoder = slip.SlipDecoder(50)
    decoder.feed(b"\xc0")
    for _ in range(100):
        decoder.feed(b"x" * 60)
        assert len(decoder._raw) <= 100
    assert decoder.feed(slip.frame(b"after")) == [b"after"]


@given(st.integers(0, 255), st.binary(max_size=100), st.integers(0, 0xFFFFFFFF))
def test_packets_come_back_as_they_were(op, data, word):
    assert Request.parse(Request(op, data, word).pack()) == Request(op, data, word)
    assert Reply.parse(Reply(op, word, data).pack()) == Reply(op, word, data)


@given(st.binary(max_size=100))
def test_a_block_carries_its_payload_and_its_checksum(payload):
    request = block(Op.FLASH_DATA, payload, 3)
    assert request.block() == payload
    assert request.checksum == checksum(payload)


@pytest.mark.parametrize("raw", [b"", b"\0\x08", b"\x01" + bytes(7)], ids=["nothing", "too short", "a reply"])
def test_what_is_no_request_is_told_so(raw):
    with pytest.raises(Malformed):
        Request.parse(raw)


# -- noise -------------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.sampled_from(["rom", "stub"]), st.lists(st.binary(max_size=80), max_size=4))
def test_no_noise_keeps_a_loader_from_answering(loader, pieces):
    """The legacy stub takes noise for requests: it looks neither at a packet's first byte nor at its length."""
    host = kind(loader)
    for piece in pieces:
        host.send(piece)
    assert sum(Reply.parse(raw).op == Op.SYNC for raw in host.send(b"\xc0" + SYNC)) >= 8


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.sampled_from([*Op, 0x55]), st.binary(max_size=40), st.integers(0, 255))
def test_any_data_get_an_answer_or_a_way_out(loader, op, data, word):
    host = kind(loader)
    host.board.events.clear()
    replies = host.replies(Request(op, data, word))
    assert replies or host.board.events or (loader, op) == ("stub", Op.RUN_USER_CODE)
    assert all(len(reply.data) >= (4 if loader == "rom" else 2) for reply in replies)


@pytest.mark.parametrize("loader", KINDS)
def test_a_packet_of_another_length_than_it_says_is_refused(loader):
    host = kind(loader)
    raw = bytearray(Request(Op.READ_REG, bytes(4)).pack())
    raw[2] = 5
    (answer,) = host.send(slip.frame(bytes(raw)))
    assert Reply.parse(answer).data == refused(loader, RomError.MALFORMED if loader == "rom" else StubError.DATA_LENGTH)
