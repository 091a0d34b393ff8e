"""How a sweep finds its cluster: what is no scheduler is told in one line, within a bounded time."""

from __future__ import annotations

import socket
import sys

import pytest

from rig.errors import Misuse
from rig.sweep.cluster import connect
from rig.sweep.cluster.connect import connected
from rig.sweep.workers import WorkersLost

pytest.importorskip("distributed")
NO_ADDRESSES = ["127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://", "tcp://127.0.0.1", "tcp://host:99999", "nonsense"]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_misuse(address):
    with pytest.raises(Misuse, match=r"tcp://|HOST:PORT"), connected(address):
        pass


def test_tls_without_certificates_is_misuse():
    with pytest.raises(Misuse, match="TLS"), connected("tls://127.0.0.1:8786"):
        pass


def test_without_dask_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(Misuse) as refused, connected("tcp://127.0.0.1:8786"):
        pass
    assert refused.value.hint == "pip install 'ota-rig[cluster]'"


def test_a_port_where_nobody_listens_is_no_scheduler(monkeypatch):
    monkeypatch.setattr(connect, "GREETING", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        _is_no_scheduler(taken.getsockname()[1])


def test_one_who_never_says_a_word_is_no_scheduler(monkeypatch):
    monkeypatch.setattr(connect, "GREETING", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _is_no_scheduler(silent.getsockname()[1])


def _is_no_scheduler(port):
    address = f"tcp://127.0.0.1:{port}"
    with pytest.raises(WorkersLost, match=f"no scheduler answers at {address}") as lost, connected(address):
        pass
    assert "dask scheduler" in lost.value.hint
    assert "\n" not in str(lost.value)
