"""Our cloud says to a recorded Core what the reference server said to it, message by message, byte for byte.

Nonces, credentials and first message ids are taken over from the recording: then every later byte must follow.
"""

from __future__ import annotations

import asyncio
import itertools

import pytest
from cryptography.hazmat.primitives import serialization

from rig.errors import RigError
from rig.families.spark_core.formats.coap import Code, Message
from rig.families.spark_core.formats.handshake import ANSWER_SIZE, NONCE_SIZE, Credentials
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.core_keys import CoreKeys
from rig.families.spark_core.servers.faults import Fault
from rig.families.spark_core.servers.slow_transfer import SlowTransfer
from tests.rig.families.spark_core.twin.session_recordings import private_der, public_der, session, sessions
from tests.rig.waiting import HANGS

#: What made the reference server of a session misbehave, as our cloud is told to.
FAULTS = {"08-update-done-after-one-chunk": "early-done@0", "09-second-update-begin": "second-begin@3"}
#: Here our cloud does better on purpose: it does not send a chunk again whose answer is outstanding.
STALLS = "07-server-stall"
#: Here the reference server was made to keep silent.
SILENT = "06f-server-silent"


class Recording:
    """What a recorded server drew, and what it said."""

    def __init__(self, name: str, folder):
        self.name, self.data = name, session(name)
        self.connections = self.data["connections"]
        draws = []
        for connection in self.connections:
            draws += [self.nonce(connection), self.credentials(connection)]
            frames = self.frames(connection, "S2C")
            if frames:
                draws.append((frames[0].mid - 1).to_bytes(2, "big"))
        self._draws = iter(draws)
        keys = CoreKeys(folder)
        holds = self.data["keys"].get("server_holds_device_key")
        if holds:
            keys.add(self.data["device_id"], _pem(public_der(holds)))
        server = serialization.load_der_private_key(private_der(self.data["keys"]["server"]), None)
        self.cloud = SparkCloud(server, keys, random=lambda count: next(self._draws)[:count])
        fault = next((text for stem, text in FAULTS.items() if stem in name), None)
        if fault:
            self.cloud.faults.add(Fault.parse(fault))

    @staticmethod
    def nonce(connection) -> bytes:
        entry = connection["handshake"][0]
        return bytes.fromhex(entry.get("sent") or entry["bytes"])

    @staticmethod
    def credentials(connection) -> bytes:
        for entry in connection["handshake"]:
            for name, value in entry.items():
                if name.startswith("credentials"):
                    return bytes.fromhex(value)
        return bytes(40)

    @staticmethod
    def frames(connection, direction: str) -> list[Message]:
        plain = [
            (frame.get("sent") or {}).get("plaintext") or frame.get("plaintext")
            for frame in connection["frames"]
            if frame["dir"] == direction
        ]
        return [Message.parse(bytes.fromhex(text)) for text in plain if text]


def _pem(der: bytes) -> bytes:
    public = serialization.load_der_public_key(der)
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


async def ask(recording: Recording, frame) -> None:
    """Do what the reference server was told to do when it said this."""
    cloud, label = recording.cloud, frame["label"]
    session_, words = cloud.sessions[recording.data["device_id"]], frame["label"].split()
    option = [bytes.fromhex(value) for number, value in frame["coap"]["options"] if number == 11]
    query = [bytes.fromhex(value) for number, value in frame["coap"]["options"] if number == 15]
    if label == "DescribeRequest":
        await session_.describe()
    elif words[0] == "VariableRequest":
        await session_.variable(option[1].decode())
    elif words[0] == "FunctionCall":
        await session_.call(option[1].decode(), query[0].decode())
    elif words[0] == "Signal":
        await session_.signal(query[0] == b"\1")
    elif label == "Ping from server":
        await session_.ping()
    elif words[0] == "UpdateBegin":
        ota = recording.data["ota"]
        image = bytes.fromhex(_image(ota["image"]))[: ota["sent_length"]]
        await cloud.flash(recording.data["device_id"], image, chunk_size=ota["chunk_size"], fast=ota["fast"])
    elif label.startswith("Event") and label.endswith("to device"):
        event = Message.parse(bytes.fromhex(frame["plaintext"]))
        name = "/".join(part.decode() for part in option[1:])
        assert session_.send_event(name, event.payload.decode())


def _image(name: str) -> str:
    from tests.rig.families.spark_core.twin.recordings import load

    images = load("spark/images.json")
    entry = images.get(name) or images["images"][name]
    return entry if isinstance(entry, str) else next(v for k, v in entry.items() if k in ("hex", "bytes"))


ASKED = ("DescribeRequest", "VariableRequest", "FunctionCall", "Signal", "Ping from server", "UpdateBegin", "Event ")


class Core:
    """The recorded Core's end of one connection: says what it said once all it had heard before has come."""

    def __init__(self, recording: Recording, connection, port: int):
        self.recording, self.connection, self.port = recording, connection, port
        self.heard: list[Message] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await self._handshake(reader, writer)
            if self.connection["frames"]:
                listener = asyncio.create_task(self._listen(reader))
                await self._talk(writer)
                await asyncio.sleep(0.02)
                listener.cancel()
            elif self.connection["close"][0]["by"] == "server":
                assert await asyncio.wait_for(reader.read(1), HANGS) == b"", "the server hangs up first"
        finally:
            writer.close()
            await asyncio.sleep(0.02)
            for task in self.tasks:
                task.cancel()
            results = await asyncio.gather(*self.tasks, return_exceptions=True)
            assert all(r is None or isinstance(r, (RigError, asyncio.CancelledError)) for r in results), results

    async def _handshake(self, reader, writer) -> None:
        assert len(await asyncio.wait_for(reader.readexactly(NONCE_SIZE), HANGS)) == NONCE_SIZE
        writer.write(bytes.fromhex(self.connection["handshake"][1]["bytes"]))
        if len(self.connection["handshake"]) > 2:
            await asyncio.wait_for(reader.readexactly(ANSWER_SIZE), HANGS)

    async def _listen(self, reader) -> None:
        opener = Credentials(Recording.credentials(self.connection)).opener()
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            self.heard.append(Message.parse(opener.open(await reader.readexactly(length))))

    async def _talk(self, writer) -> None:
        before, begun = 0, False
        for frame in self.connection["frames"]:
            if frame["dir"] == "S2C":
                if frame["label"].startswith(ASKED) and not (frame["label"] == "UpdateBegin" and begun):
                    begun = begun or frame["label"] == "UpdateBegin"
                    await self._has_heard(before)
                    await self._has_its_answer()
                    self.tasks.append(asyncio.create_task(ask(self.recording, frame), name=frame["label"]))
                before += 1
                continue
            await self._has_heard(before)
            sealed = bytes.fromhex(frame["ciphertext"])
            writer.write(len(sealed).to_bytes(2, "big") + sealed)
        await self._has_heard(before)

    async def _has_its_answer(self) -> None:
        """The last question but an update is answered."""
        if self.tasks and not self.tasks[-1].get_name().startswith("UpdateBegin"):
            await asyncio.wait_for(asyncio.shield(self.tasks[-1]), HANGS)

    async def _has_heard(self, count: int) -> None:
        async with asyncio.timeout(HANGS):
            while len(self.heard) < count:
                await asyncio.sleep(0.001)


def same(said: Message, recorded: Message) -> bool:
    """Whether two messages are the same; what time it is may differ."""
    if recorded.code == Code.CONTENT:
        return said.pack()[:6] == recorded.pack()[:6]
    return said.pack() == recorded.pack()


REAL_ASKED = SlowTransfer._asked


def _asked_when_all_was_had(self, index):
    """Here our cloud asks first whether the Core is there, and a recording has no answer: what was lost, was lost."""
    self._has_had_all = True
    REAL_ASKED(self, index)


PLAYED = [name for name in sessions() if STALLS not in name and SILENT not in name]


@pytest.mark.parametrize("name", PLAYED)
def test_our_cloud_says_what_the_reference_server_said(name, tmp_path, monkeypatch):
    monkeypatch.setattr(SlowTransfer, "_asked", _asked_when_all_was_had)

    async def play():
        recording = Recording(name, tmp_path)
        port = await recording.cloud.start("127.0.0.1", 0)
        try:
            for connection in recording.connections:
                core = Core(recording, connection, port)
                await core.run()
                wanted = Recording.frames(connection, "S2C")
                pairs = itertools.zip_longest(core.heard, wanted)
                differing = [(said, meant) for said, meant in pairs if not (said and meant and same(said, meant))]
                assert not differing, differing[0]
        finally:
            recording.cloud.close()

    asyncio.run(play())
