"""Starts of an ESP32 in memory, on demand: `pytest tests/rig/benchmarks/bench_esp_boot.py`.

A start reads and hashes the whole application, so the peer of the same run is the hash alone; no figure is asserted.
"""

from __future__ import annotations

import hashlib

import pytest

from rig.families.esp32.formats.boot import boot_once
from rig.families.esp32.formats.otadata import Record, State
from tests.rig.families.esp32.lab.flash_contents import BLANK, IMAGE, ROLLBACK, flash

pytestmark = pytest.mark.benchmark(group=f"one start, application of {len(IMAGE)} bytes")


def test_a_start(benchmark):
    contents = flash((Record.of(1, State.VALID), BLANK))
    assert benchmark(boot_once, contents, ROLLBACK).booted == "app0"


def test_the_hash_alone(benchmark):
    benchmark(lambda: hashlib.sha256(IMAGE).digest())


def test_the_worst_start_that_still_finds_an_application(benchmark):
    """The chosen slot is damaged at its last byte, so both are read whole."""
    broken = IMAGE[:-1] + bytes([IMAGE[-1] ^ 1])
    contents = flash((Record.of(1, State.VALID), BLANK), slots=(broken, IMAGE))
    assert benchmark(boot_once, contents, ROLLBACK).booted == "app1"
