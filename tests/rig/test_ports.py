"""Addresses as people write them: host and port, or one line that says what is wrong."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.ports import read_address

ADDRESSES = {
    "127.0.0.1:80": ("127.0.0.1", 80),
    "localhost:65535": ("localhost", 65535),
    "[::1]:80": ("::1", 80),
    "::1:80": ("::1", 80),
}
NONE = (
    "",
    "here",
    "here:",
    ":80",
    "here:0",
    "here:65536",
    "here:-1",
    "here:²",
    "[::1]:80:1",
    "[::1:80",
    "a b:80",
    "[]:80",
)


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read(text):
    assert read_address(text, "--api", "127.0.0.1:80") == ADDRESSES[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_none_is_misuse(text):
    with pytest.raises(Misuse, match="is not HOST:PORT"):
        read_address(text, "--api", "127.0.0.1:80")
