"""The recorded vectors of genuine firmware: where they are, and how their recipes become flash contents."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.memory import CoreMemory

VECTORS = Path(os.environ.get("RIG_VECTORS") or Path(__file__).resolve().parents[6] / "shared" / "vectors")


@cache
def load(name: str) -> dict[str, Any]:
    """The vectors in file `name`; skips the test or module that asks when the file is not there."""
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"recorded vectors {name} are not in {VECTORS} (set RIG_VECTORS)", allow_module_level=True)
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    data: dict[str, Any] = json.loads(raw)
    return data


@cache
def stream(seed: str, length: int) -> bytes:
    """First `length` bytes of SHA-256(seed ‖ 0) ‖ SHA-256(seed ‖ 1) ‖ … (vectors/boot/README.md)."""
    blocks = (hashlib.sha256(seed.encode() + at.to_bytes(4, "little")).digest() for at in range(-(-length // 32)))
    return b"".join(blocks)[:length]


@cache
def _image(seed: str, length: int, word0: int, word1: int) -> bytes:
    raw = bytearray(stream(seed, length))
    raw[0:4], raw[4:8] = word0.to_bytes(4, "little"), word1.to_bytes(4, "little")
    return bytes(raw).ljust(layout.APP_SIZE, b"\xff")


def image(recipe: dict[str, Any]) -> bytes:
    """The 110,592 bytes of a Spark image."""
    if recipe.get("blank"):
        return b"\xff" * layout.APP_SIZE
    return _image(recipe["seed"], recipe["length"], recipe["word0"], recipe["word1"])


class Flash:
    """Both memories as recipes fill them, before anything runs."""

    def __init__(self) -> None:
        self.internal = bytearray(b"\xff" * layout.INTERNAL_SIZE)
        self.external = bytearray(b"\xff" * layout.EXTERNAL_SIZE)

    def put(self, address: int, data: bytes) -> None:
        """Lay `data` at `address` of the memory it belongs to."""
        if address >= layout.INTERNAL_BASE:
            start = address - layout.INTERNAL_BASE
            self.internal[start : start + len(data)] = data
        else:
            self.external[address : address + len(data)] = data

    def memory(self) -> CoreMemory:
        """A fresh memory with these contents."""
        memory = CoreMemory()
        memory.internal.load(bytes(self.internal))
        memory.external.load(bytes(self.external))
        return memory


def boot_memory(recording: str, case: dict[str, Any]) -> CoreMemory:
    """Flash at the start of a boot vector or scenario; pages are shared with others that begin alike."""
    before = _without_flags(recording, case["app"], tuple(case["ext"].items()))
    memory = CoreMemory()
    memory.internal.take_over(before.internal)
    memory.external.take_over(before.external)
    flags = bytes.fromhex(case.get("flags18") or case["flags16"])
    memory.internal.perform(memory.internal.programming(layout.FLAGS_ADDRESS, flags), 0, len(flags) // 2)
    return memory


@lru_cache(maxsize=32)
def _without_flags(recording: str, app: str, ext: tuple[tuple[str, Any], ...]) -> CoreMemory:
    vectors, slots = load(recording), dict(ext)
    name, images = vectors["set"], vectors["images"]
    flash = Flash()
    flash.put(0x0800_4000, stream(f"{name}-eeprom", 2048))
    flash.put(layout.APP_ADDRESS, image(images[app]))
    flash.put(0, stream(f"{name}-low", 131_072))
    for slot, address in (("factory", 0x2_0000), ("backup", 0x4_0000), ("ota", 0x6_0000)):
        flash.put(address, image(images[slots[slot]]))
        if slots.get("tails"):
            flash.put(address + layout.APP_SIZE, stream(f"{name}-tail-{slot}", 20_480))
    flash.put(0x8_0000, stream(f"{name}-user", 16_384))
    return flash.memory()
