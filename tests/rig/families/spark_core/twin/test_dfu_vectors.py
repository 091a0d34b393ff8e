"""DFU of the twin against recordings of the genuine bootloader: every control transfer, and what it left in flash."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.core import Core
from rig.formats.usb import Setup
from tests.rig.families.spark_core.twin.recordings import Flash, image, load, stream

DFU = load("dfu/dfu.json")


def board(scenario: dict[str, Any]) -> Core:
    begin = scenario["start"]
    flash = Flash()
    flash.put(layout.APP_ADDRESS, image(begin["app"]))
    flash.put(layout.FLAGS_ADDRESS, bytes.fromhex(begin["flags16"]))
    for piece in begin["ext"]:
        flash.put(piece["at"], stream(piece["seed"], piece["n"]))
    core = Core(flash.memory(), lambda _area: Identity("any", "ok"), uid=bytes.fromhex(DFU["uid"]))
    core.power_on(0)
    core.advance(math.inf)
    return core


def outgoing(step: dict[str, Any]) -> bytes:
    out = step.get("out", "")
    if isinstance(out, str):
        return bytes.fromhex(out)
    return stream(out["seed"], out["from"] + out["n"])[out["from"] :]


def told(reply: bytes | None, step: dict[str, Any], core: Core) -> Any:
    expected = step["result"]
    if isinstance(expected, dict) and "in_boot" in expected:
        assert reply == core.memory.internal.read(layout.INTERNAL_BASE + expected["in_boot"], expected["n"])
        return expected
    if reply is None:
        return "stall"
    return {"in": reply.hex()} if isinstance(expected, dict) else "ack"


@pytest.mark.parametrize("scenario", DFU["scenarios"], ids=lambda scenario: scenario["id"])
def test_every_transfer_is_answered_as_the_genuine_bootloader_does(scenario: dict[str, Any]) -> None:
    core = board(scenario)
    attached = True
    for number, step in enumerate(scenario["steps"]):
        reply = core.control(Setup.unpack(bytes.fromhex(step["setup"])), outgoing(step), core.time)
        assert told(reply, step, core) == step["result"], f"step {number}: {step}"
        core.acknowledge(core.time)
        while core.busy and core.step():
            attached = core.usb is not None
    memory, end = core.memory, scenario["end"]
    assert hashlib.sha256(memory.app()).hexdigest() == end["app_sha256"]
    assert hashlib.sha256(memory.external.dump()).hexdigest() == end["ext_sha256"]
    assert hashlib.sha256(memory.internal.read(0x0800_3800, 6144)).hexdigest() == end["low_sha256"]
    assert memory.flags16().hex() == end["flags16"]
    names = [event.name for event in core.events]
    assert ("reset" in names, attached and core.usb is not None) == (end["reset"], end["attached"])
    if end["reset"]:
        assert f"{core.dr[10]:04x}" == end["dr10"]
        core.advance(core.time + 1)
        assert ("app" if core.running else "dfu") == end["after_reset"]
