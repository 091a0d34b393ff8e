from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from rig.drivers.usbip_backend import UsbipBackend
from tests.rig.families.esp32.twin.models import served_board
from tests.rig.families.spark_core.twin.models import served_core

HERE = Path(__file__).parent
#: Examples of each property: every night has hypothesis' own number.
QUICK = 30
# CI judges the same examples every time; people get new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("quick", deadline=None, max_examples=QUICK)
settings.register_profile("quick in ci", settings.get_profile("ci"), max_examples=QUICK)


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


#: Rooms whose tests mostly wait, for real servers and real pauses: others use the processors meanwhile.
WAITING_ROOMS = ("trust/remote", "trust/watch", "trust/test_endpoint", "twin/test_", "families/spark_core/servers")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Files that start whole racks take longest, then those that wait: they come first, so that none comes last."""

    def place(item):
        if hasattr(item.module, "Up"):
            return 0
        room = item.path.relative_to(HERE).as_posix() if item.path.is_relative_to(HERE) else ""
        return 1 if room.startswith(WAITING_ROOMS) else 2

    items.sort(key=place)


def pytest_configure(config):
    """Fewer examples where nobody asked for long tests.

    What a shell starts in the background ignores Ctrl-C, and so does all that it starts: tests do not.
    """
    in_ci, is_long = "CI" in os.environ, config.option.rig_long
    settings.load_profile(("ci" if in_ci else "default") if is_long else ("quick in ci" if in_ci else "quick"))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
