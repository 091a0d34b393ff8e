"""The twin of a Core says what the genuine device code said, byte for byte, and stores what it stored."""

from __future__ import annotations

import hashlib

import pytest

from rig.families.spark_core.firmware.identity import Identity
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.twin.app import handshake
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.protocol import Conversation
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.memory import CoreMemory
from rig.families.spark_core.twin.radio import Eeprom, Radio
from rig.twin.tcp import Link
from tests.rig.families.spark_core.twin.models import RUNNING_FLAGS
from tests.rig.families.spark_core.twin.session_recordings import (
    private_der,
    public_der,
    recorded_greeting,
    session,
    sessions,
    steps,
    update_done_frames,
    user_code,
)

SESSIONS = sessions()
APP = (0x2000_5000).to_bytes(4, "little") + bytes(1000)


def memory(recorded) -> CoreMemory:
    """Flash of the recorded device: its keys, and an application that runs."""
    filled = CoreMemory()
    internal, external = bytearray(filled.internal.dump()), bytearray(filled.external.dump())
    for address, data in ((layout.FLAGS_ADDRESS, RUNNING_FLAGS), (layout.APP_ADDRESS, APP)):
        start = address - layout.INTERNAL_BASE
        internal[start : start + len(data)] = data
    sector = ServerRecord(public_der(recorded["keys"]["device_holds_server_key"]), "10.0.0.1").pack()
    own = private_der(recorded["keys"]["device"])
    for address, data in ((layout.SERVER_KEY_ADDRESS, sector), (layout.CORE_KEY_ADDRESS, own)):
        external[address : address + len(data)] = data
    filled.internal.load(bytes(internal))
    filled.external.load(bytes(external))
    return filled


class Player:
    """A Core in memory whose network is a recording; time is the recording's own."""

    def __init__(self, recorded, monkeypatch):
        self.recorded = recorded
        self.said: list[bytes] = []
        self.closed = False
        self.blocks = iter(
            step.data for c in recorded["connections"] for step in steps(c) if step.label == "device block"
        )
        monkeypatch.setattr(handshake, "introduce", lambda *_args: next(self.blocks))
        setup = recorded.get("device_setup") or {}
        monkeypatch.setattr(Conversation, "greet", recorded_greeting(setup, recorded["device_version"]))
        monkeypatch.setattr(Conversation, "begin_user_code", lambda _self: None)
        self.core = Core(
            memory(recorded),
            lambda _app: Identity("recorded", "ok"),
            uid=bytes.fromhex(recorded["device_id"]),
            time_scale=0,
            radio=Radio(Eeprom(profiles=["lab"], mac="08:00:28:01:02:03")),
            dialect=Dialect.of(recorded["device_version"]),
            user_code=user_code(setup),
        )
        self.core.radio.on_order = self.order

    def order(self, what, content):
        if what == "send":
            self.said.append(content)
        elif what in ("close", "vanish"):
            self.closed = True

    def connect(self):
        core = self.core
        core.power_on(core.time)
        while core.radio.link is not Link.CONNECTING:
            assert core.step(), "the Core does not connect"
        self.said.clear()
        self.closed = False
        core.network("open", b"", core.time)

    def play(self, connection):
        """Feed what the server said, each when all that the device said before it has come; return what it said."""
        core, begin = self.core, None
        expected: list[bytes] = []
        for step in steps(connection):
            begin = core.time - step.at if begin is None else begin
            if not step.to_device:
                expected.append(step.data)
                while len(self.said) < len(expected) and core.due() <= begin + step.at + 1 and core.step():
                    pass
                continue
            core.advance(max(core.time, begin + step.at))
            core.network("data", step.data, core.time)
        core.advance(core.time + 0.01)
        return expected


@pytest.fixture
def player(request, monkeypatch):
    return Player(session(request.param), monkeypatch)


#: 05c, 05d and 05e of 0.4.4: the recorded program came back from the callback that ends an update, and then sent the
#: device's own UpdateDone. On a Core that callback resets (device-os v0.4.4 system/src/system_update.cpp:165).
ARTEFACTS = [name for name in SESSIONS if update_done_frames(session(name))]


@pytest.mark.parametrize("player", SESSIONS, indirect=True)
def test_the_twin_says_what_the_genuine_device_said(player, monkeypatch):
    if update_done_frames(player.recorded):
        monkeypatch.setattr(Dialect, "announces_done", True)
    for connection in player.recorded["connections"]:
        player.connect()
        expected = player.play(connection)
        assert player.said == expected


@pytest.mark.parametrize("player", ARTEFACTS, indirect=True)
def test_a_core_is_reset_before_it_can_say_that_a_fast_update_is_whole(player):
    player.connect()
    expected = player.play(player.recorded["connections"][0])
    assert player.said == expected[:-1], "05c to 05e: all but the last message, which is artefact"
    names = [event.name for event in player.core.events]
    assert names[names.index("update-done") + 1] == "reset"


@pytest.mark.parametrize("player", [name for name in SESSIONS if session(name).get("ota")], indirect=True)
def test_the_twin_stores_what_the_genuine_device_stored(player):
    player.connect()
    player.play(player.recorded["connections"][0])
    ota = player.recorded["ota"]
    stored = player.core.memory.external.read(layout.OTA_ADDRESS, ota["stored_length"] + 256)
    assert hashlib.sha256(stored[:-256]).hexdigest() == ota["stored_sha256"]
    assert stored[-256:] == b"\xff" * 256


def handshakes(recorded) -> list[int]:
    return [entry["err"] for entry in recorded["device_report"] if entry["what"] == "handshake"]


@pytest.mark.parametrize("player", SESSIONS, indirect=True)
def test_a_handshake_ends_as_it_ended_on_the_genuine_device(player):
    player.connect()
    connection = player.recorded["connections"][0]
    player.play(connection)
    core = player.core
    if connection["close"] and connection["close"][0]["by"] == "server":
        core.network("lost", b"", core.time)
    core.advance(core.time + 20)
    ended = next(event for event in core.events if event.name.startswith("handshake:"))
    result = handshakes(player.recorded)[0]
    assert ended.name == f"handshake:{result}"
    assert result == 0 or handshake.COLOURS[result] in {colour for at, colour, _ in core.led if at == ended.at}


def test_an_update_that_was_applied_is_reported_once(player_of):
    player = player_of("core-0.2.1/02-ota-256")
    flags = []
    for connection in player.recorded["connections"]:
        player.connect()
        player.play(connection)
        flags.append(SystemFlags.unpack(player.core.memory.flags16()[:10]).flashed)
    assert flags == [1, 0], "set by the copy, cleared at the Hello that came back"
    assert player.core.events[-1].name == "server-hello:updated"


@pytest.fixture
def player_of(monkeypatch):
    return lambda name: Player(session(name), monkeypatch)
