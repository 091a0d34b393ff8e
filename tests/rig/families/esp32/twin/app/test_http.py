"""HTTP as an ESP32's client parses it: chunks, heads and addresses, good and bad."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from rig.families.esp32.twin.app.http_body import ChunkReader
from rig.families.esp32.twin.app.http_head import Head, Malformed, Url


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(1, 30), max_size=20))
def test_chunks_come_out_whole_however_they_are_cut(chunks, cuts):
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: x\r\n\r\n"
    reader, plain = ChunkReader(), b""
    for cut in [*cuts, len(framed)]:
        plain += reader.feed(framed[:cut])
        framed = framed[cut:]
    assert (plain, reader.complete) == (b"".join(chunks), True)


@given(st.binary(max_size=300))
def test_whatever_comes_as_chunks_or_head_is_taken_or_refused_by_name(noise):
    with contextlib.suppress(Malformed):
        assert len(ChunkReader().feed(noise)) <= len(noise)
    with contextlib.suppress(Malformed):
        assert 0 <= Head.parse(noise).status <= 999
    with contextlib.suppress(Malformed):
        assert (Head.parse(b"HTTP/1.1 200 OK\r\n" + noise).length or 0) >= 0


@given(st.text(max_size=40) | st.text(max_size=20).map("https://".__add__))
def test_whatever_is_given_as_an_address_is_one_or_is_refused(text):
    with contextlib.suppress(Malformed):
        url = Url.parse(text)
        assert url.host
        assert url.path.startswith("/")
