from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

from rig.drivers.usbip_backend import UsbipBackend
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.families.spark_core.twin.models import served_core

# CI judges the same examples every time; people get new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def served(tmp_path):
    """A shipped Core on real ports, without modelled delays."""
    with served_core(tmp_path / "core") as core:
        yield core


@pytest.fixture
def blank(tmp_path):
    """A Core without firmware on real ports: it is in DFU, without modelled delays."""
    state = tmp_path / "blank"
    state.mkdir()
    (state / "internal.bin").write_bytes(b"\xff" * 131_072)
    (state / "external.bin").write_bytes(b"\xff" * 2_097_152)
    with served_core(state) as core:
        yield core


@pytest.fixture
def esp32():
    """An ESP32 on real ports whose flash is blank, and that runs into nothing again and again."""
    with served_board() as board:
        yield board


@pytest.fixture
def backend(blank):
    return UsbipBackend(blank.host, blank.usbip_port)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Files that start whole racks take longest: they come first, so that no worker is left alone with one."""
    items.sort(key=lambda item: not any(hasattr(item.module, name) for name in ("Up", "Reader")))


def pytest_configure():
    """What a shell starts in the background ignores Ctrl-C, and so does all that it starts: tests do not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
