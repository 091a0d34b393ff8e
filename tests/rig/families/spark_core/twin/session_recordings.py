"""Recorded sessions between genuine Core code and the reference server (vectors/spark), as our two sides need them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from rig.families.spark_core.formats.messages import BOOLEAN, DOUBLE, INTEGER, STRING, Published, Subscription
from rig.families.spark_core.twin.app.protocol import Conversation
from rig.families.spark_core.twin.app.user_code import UserCode
from tests.rig.families.spark_core.twin.recordings import VECTORS, load

TYPES = {"bool": BOOLEAN, "int": INTEGER, "string": STRING, "double": DOUBLE}


def sessions() -> list[str]:
    """Names of all recorded sessions, `core-0.2.1/01-services` and so on; skips where there are none."""
    names = sorted(
        str(path.relative_to(VECTORS / "spark").with_suffix("")) for path in VECTORS.glob("spark/core-*/*.json")
    )
    if not names:
        pytest.skip(f"no recorded Spark sessions are in {VECTORS} (set RIG_VECTORS)", allow_module_level=True)
    return names


@cache
def session(name: str) -> dict[str, Any]:
    return load(f"spark/{name}.json")


@cache
def key(name: str) -> dict[str, Any]:
    return load("spark/keys.json")["keys"][name]


def private_der(name: str) -> bytes:
    return _first(key(name), "private")


def public_der(name: str) -> bytes:
    return _first(key(name), "public")


def _first(entry: dict[str, Any], half: str) -> bytes:
    return bytes.fromhex(next(value for field_name, value in entry.items() if field_name.startswith(half)))


@dataclass
class Step:
    """One thing on a recorded connection: bytes from the server to the device, or from the device to the server."""

    at: float
    to_device: bool
    label: str
    data: bytes = field(repr=False)


def steps(connection: dict[str, Any]) -> list[Step]:
    """What the device saw and said, in order: handshake blocks, then frames with their length."""
    found = [Step(entry["t_ms"] / 1000, entry["dir"] == "S2C", entry["what"], bytes.fromhex(entry["bytes"]))
             for entry in connection["handshake"]]  # fmt: skip
    for frame in connection["frames"]:
        if frame.get("ciphertext") is None:
            continue
        sealed = bytes.fromhex(frame["ciphertext"])
        framed = len(sealed).to_bytes(2, "big") + sealed
        found.append(Step(frame["t_ms"] / 1000, frame["dir"] == "S2C", frame["label"], framed))
    return found


def update_done_frames(recorded: dict[str, Any]) -> list[str]:
    """The device's own messages that a fast update is whole."""
    frames = [frame for connection in recorded["connections"] for frame in connection["frames"]]
    return [frame["label"] for frame in frames if frame["label"] == "UpdateDone from device"]


def user_code(setup: dict[str, Any]) -> UserCode:
    """The application of a recorded device."""

    def function(entry: dict[str, Any]) -> Any:
        def run(argument: str, publish: Any) -> int:
            if "publishes" in entry:
                data = entry["publishes"]["data"]
                publish(Published(entry["publishes"]["event"], argument if data == "the argument" else data))
            returns = entry.get("returns", 0)
            return len(argument) if returns == "length of the argument" else int(returns)

        return run

    return UserCode(
        {entry["name"]: function(entry) for entry in setup.get("functions", [])},
        {entry["name"]: (TYPES[entry["type"]], entry["value"]) for entry in setup.get("variables", [])},
        [Subscription(prefix) for prefix in setup.get("subscribes", [])],
        _events(setup.get("publishes_after_hello", [])),
    )


def recorded_greeting(setup: dict[str, Any], version: str) -> Any:
    """What the recorded program said after its Hello, in place of the system firmware around the protocol code.

    It never told its radio's version nor subscribed to `spark`, and asked for events before it asked for the time.
    """
    system = [Published("spark/hardware/max_binary", "110592", public=False)] * (version >= "0.4")
    system += [Published("spark/hardware/ota_chunk_size", "512", public=False)] * (version >= "0.4")

    def greet(conversation: Conversation) -> None:
        for event in system:
            conversation.publish(event)
        conversation._subscriptions.begin()
        if setup.get("time_request"):
            conversation._ask_time()
        for event in _events(setup.get("publishes_after_hello", [])):
            conversation.publish(event)

    return greet


def _events(told: list[dict[str, Any]]) -> list[Published]:
    return [Published(e["name"], e["data"], e["public"], e["ttl"]) for e in told]
