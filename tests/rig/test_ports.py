"""Addresses as people write them: host and port, or one line that says what is wrong."""

from __future__ import annotations

import random
import socket

import pytest

from rig.errors import LabFault, Misuse
from rig.ports import checked_url, format_address, free_port, host_of, is_free, read_address, taking

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
    "here:" + "9" * 5000,
    "here:99999",
)
NO_HOSTS = ("a" * 300, "..", "a..b", "\udcff", "\u202e", "xn--\u0660")


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read(text):
    assert read_address(text, "--api", "127.0.0.1:80") == ADDRESSES[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_none_is_misuse(text):
    with pytest.raises(Misuse, match="is not HOST:PORT"):
        read_address(text, "--api", "127.0.0.1:80")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "fe80::1%lo", "2001:db8::5683"])
def test_an_address_that_is_written_is_read_again(host):
    text = format_address(host, 5683)
    assert read_address(text, "--api", "127.0.0.1:80") == (host, 5683)
    assert host_of(text) == host
    assert text.startswith("[") == (":" in host)


def test_what_is_no_address_has_no_host():
    assert [host_of(text) for text in ("?", "here", "[::1]")] == ["", "", ""]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_is_one_that_can_be_listened_on(host):
    port = free_port(host)
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
        assert not is_free(host, port)


def test_processes_with_one_seed_do_not_get_the_same_ports():
    def ports():
        random.seed(0)
        return [free_port("127.0.0.1") for _ in range(4)]

    assert ports() != ports()


@pytest.mark.parametrize("host", NO_HOSTS, ids=ascii)
def test_what_no_name_service_takes_is_no_host(host):
    with pytest.raises(Misuse, match="can be no host"):
        read_address(f"{host}:80", "--api", "127.0.0.1:80")
    with pytest.raises(Misuse, match="can be no host"), taking(host, 80):
        pass


def test_a_free_port_of_an_address_that_is_not_ours_is_a_lab_fault_and_not_looked_for_for_ever():
    with pytest.raises(LabFault, match=r"cannot listen on 192\.0\.2\.1"):
        free_port("192.0.2.1")


NO_URLS = (
    "https://",
    "https://[b]x[/b]/",
    "https://[::1/",
    "https://h:99999/",
    "https://h:0/",
    "https://a..b/",
    "ftp://h/",
)


@pytest.mark.parametrize("text", NO_URLS)
def test_a_url_has_a_host_and_a_port_that_can_be_ones(text):
    assert checked_url("https://h:8443/a?b=c") == "https://h:8443/a?b=c"
    with pytest.raises(ValueError, match=r"."):
        checked_url(text)
