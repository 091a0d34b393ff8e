"""The Spark cloud: one port, many Cores, a key that can be swapped while it runs, faults on demand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from rig.errors import LabFault, Misuse, RigError
from rig.families.spark_core.formats.handshake import Introduction, read_introduction
from rig.families.spark_core.formats.messages import Hello
from rig.families.spark_core.servers.chunks import Sent
from rig.families.spark_core.servers.cloud_limits import DEVICES
from rig.families.spark_core.servers.connection import Connection
from rig.families.spark_core.servers.core_keys import CoreKeys, checked_core_id
from rig.families.spark_core.servers.disturbances import Disturbances
from rig.families.spark_core.servers.events import EventBus
from rig.families.spark_core.servers.faults import Faults
from rig.families.spark_core.servers.flasher import Flasher, too_large
from rig.families.spark_core.servers.proxy import Proxy
from rig.families.spark_core.servers.session import Session
from rig.families.spark_core.trust.server_key import make_server_key
from rig.limits import Limits, effective_limits, refuse_more
from rig.listener import Listener

PORT = 5683
#: A Core pings when it has *heard* nothing for 15 s: one that hears events says nothing for as long as it likes. So
#: one that was silent is asked whether it is there, and is gone when it is still silent then.
ASKED_AFTER_SECONDS, SILENT_SECONDS = 20.0, 30.0
LOOK_EVERY_SECONDS = 1.0
#: Copy by the bootloader, start, Wi-Fi join: how long an updated Core may stay away.
AWAY_SECONDS = 120.0


class SparkCloud:
    """Serves Cores whose keys `core_keys` knows with the identity `key`."""

    def __init__(
        self,
        key: rsa.RSAPrivateKey,
        core_keys: CoreKeys,
        *,
        random: Callable[[int], bytes] = os.urandom,
        limits: Limits = DEVICES,
    ):
        self.key, self.core_keys, self.random = key, core_keys, random
        self.bus = EventBus()
        self.faults = Faults()
        self.disturbances = Disturbances()
        self.sessions: dict[str, Session] = {}
        #: Those with an update of which it is not known yet what became: the next Hello's flag says it of one alone.
        self._undecided: set[Session] = set()
        #: Keys that single Cores are to meet instead.
        self._own_keys: dict[str, rsa.RSAPrivateKey] = {}
        self._connections: set[Connection] = set()
        self.limits = effective_limits(limits)
        self._listener: Listener | None = None
        self._watch: asyncio.Task[None] | None = None
        self._arrivals: dict[str, list[asyncio.Future[Session]]] = {}

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._listener = Listener(self.accept, self.limits, refused=self._too_many)
        port = await self._listener.start(host, port)
        self._watch = asyncio.get_running_loop().create_task(self.watch_silence())
        return port

    def accept(self) -> asyncio.Protocol:
        """Who serves the next connection: through a network that misbehaves, when one is planned."""
        connection = Connection(self)
        return Proxy(connection, self.disturbances, self.bus) if self.disturbances else connection

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._watch is not None:
            self._watch.cancel()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.close("the cloud was closed")

    def swap_key(self, key: rsa.RSAPrivateKey, core_id: str | None = None) -> None:
        """Be another server from the next handshake on, for one Core or for all; whoever is online stays so."""
        if core_id is None:
            self.key = key
        else:
            if checked_core_id(core_id) not in self._own_keys:
                refuse_more(self._own_keys, "keys of single Cores")
            self._own_keys[checked_core_id(core_id)] = key
        self.bus.emit("key-swapped", core_id)

    def restore_key(self, core_id: str) -> None:
        """Be for one Core again who one is for all."""
        self._own_keys.pop(checked_core_id(core_id), None)
        self.bus.emit("key-restored", core_id)

    # -- what is asked of Cores ----------------------------------------------------------------------------------------

    def session(self, core_id: str) -> Session:
        """A Core that is online. Raises LabFault when it is not, Misuse for what is no id."""
        session = self.sessions.get(checked_core_id(core_id))
        if session is None:
            online = ", ".join(self.sessions) or "none"
            raise LabFault("is not online", board=core_id, hint=f"online: {online}")
        return session

    async def arrival(self, core_id: str, seconds: float) -> Session:
        """The next session of a Core that begins from now on. Raises LabFault when none does in time."""
        arrival: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        waiting = self._arrivals.setdefault(checked_core_id(core_id), [])
        waiting.append(arrival)
        try:
            return await asyncio.wait_for(arrival, seconds)
        except TimeoutError:
            raise LabFault(f"did not come online within {seconds:.0f} s", board=core_id) from None
        finally:
            waiting.remove(arrival)

    async def flash(
        self, core_id: str, image: bytes, *, chunk_size: int = 256, fast: bool = False, force: bool = False
    ) -> dict[str, Any]:
        """Update a Core over the air: it succeeded only when the Core is back and says that it applied the image.

        Returns `{"ok", "reason", "seconds", "transfer_seconds", ...}` and what was sent. Raises Misuse for an image or
        a chunk size that cannot be, LabFault for a Core that is not online.
        """
        if (refusal := too_large(image)) and not force:
            raise refusal
        session = self.session(core_id)
        if session in self._undecided:
            raise Misuse(f"{session.core_id} is being updated already")
        flasher = Flasher(session, image, self.bus, self.faults, chunk_size=chunk_size, fast=fast)
        flasher.sent.damage = refusal.message if refusal else ""
        began = time.monotonic()
        self.bus.emit("update", session.core_id, size=len(image), chunk_size=chunk_size, fast=fast)
        back = asyncio.ensure_future(self.arrival(session.core_id, AWAY_SECONDS + 600))
        self._undecided.add(session)
        try:
            await flasher.run()
            transferred = time.monotonic() - began
            reason = await self._what_became(session.core_id, flasher.sent, back)
        except RigError as error:
            transferred, reason = time.monotonic() - began, str(error)
        finally:
            back.cancel()
            self._undecided.discard(session)
        result = {
            "ok": not reason,
            "reason": reason,
            "seconds": round(time.monotonic() - began, 3),
            "transfer_seconds": round(transferred, 4),
            **asdict(flasher.sent),
        }
        self.bus.emit("updated", session.core_id, **result)
        return result

    async def _what_became(self, core_id: str, sent: Sent, back: asyncio.Future[Session]) -> str:
        """What is to be said against an update once the Core is `back`; nothing when it applied what was sent.

        However its last connection ended, its next Hello says whether the image runs. Raises LabFault without one.
        """
        try:
            returned = await asyncio.wait_for(asyncio.shield(back), AWAY_SECONDS)
        except TimeoutError:
            raise LabFault(
                f"did not come back within {AWAY_SECONDS:.0f} s: whether it applied the image is not known",
                board=core_id,
                phase="apply",
            ) from None
        if not returned.hello.updated:
            return "came back without having applied it: rolled back, or never installed"
        return f"applied an image that is not the one that was meant: {sent.damage}" if sent.damage else ""

    # -- what connections need -----------------------------------------------------------------------------------------

    def read(self, block: bytes, nonce: bytes) -> Introduction | None:
        """What an introduction says; None when it was made for another key than the one its Core is to meet."""
        for key in (self.key, *self._own_keys.values()):
            introduction = read_introduction(key, block)
            if introduction is None or introduction.nonce != nonce:
                continue
            core_id = introduction.core_id.hex()
            meant = self._own_keys.get(core_id, self.key)
            if meant.public_key() != key.public_key():
                self.bus.emit("other-key", core_id)
                continue
            return None if self._is_due("wrong-key", core_id) else introduction
        return None

    def _is_due(self, kind: str, core_id: str | None) -> bool:
        """Whether a fault is to happen at this handshake; it is told."""
        if self.faults.take(kind, core_id) is None:
            return False
        self.bus.emit("fault", core_id, kind=kind)
        return True

    def signing_key(self, core_id: str) -> rsa.RSAPrivateKey:
        """The key this Core is to meet, or another's when that fault is due."""
        if self._is_due("wrong-signature", core_id):
            return self._another
        return self._own_keys.get(core_id, self.key)

    def core_key(self, core_id: str) -> rsa.RSAPublicKey | None:
        """The key of a Core, None for a stranger. Raises Misuse."""
        key = self.core_keys.find(core_id)
        if key is None:
            self.bus.emit("unknown-core", core_id)
        return key

    def says_nothing(self) -> bool:
        """Whether a connection that was just accepted is left in silence."""
        return self._is_due("silent-accept", None)

    def connected(self, connection: Connection) -> None:
        """Somebody connected."""
        self._connections.add(connection)
        self.bus.emit("connected", None, peer=connection.peer)

    def _too_many(self, peer: str) -> None:
        """Somebody connected for whom there is no room."""
        self.bus.emit("handshake-failed", None, peer=peer, reason="too many connections")

    def introduced(self, connection: Connection, hello: Hello) -> Session | None:
        """A Core proved who it is: whatever session it had before is over."""
        assert connection.core_id is not None
        core_id = connection.core_id
        if self._is_due("close-after-handshake", core_id):
            self.bus.emit("closed-after-handshake", core_id, updated=hello.updated)
            return None
        mid = int.from_bytes(self.random(2), "big")
        session = Session(connection, core_id, hello, self.bus, mid)
        previous, self.sessions[core_id] = self.sessions.get(core_id), session
        if previous is not None:
            previous.connection.close("it connected anew")
        self.bus.emit("online", core_id, updated=hello.updated, version=hello.version, peer=connection.peer)
        session.greet()
        for arrival in self._arrivals.get(core_id, []):
            if not arrival.done():
                arrival.set_result(session)
        return session

    def answered(self, core_id: str) -> None:
        """A Core was sent its credentials."""
        self.bus.emit("answered", core_id)

    def refused(self, connection: Connection, reason: str) -> None:
        """A handshake failed."""
        self.bus.emit("handshake-failed", connection.core_id, peer=connection.peer, reason=reason)

    def gone(self, connection: Connection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        core_id = connection.core_id
        session = self.sessions.get(core_id) if core_id is not None else None
        if core_id is not None and session is not None and session.connection is connection:
            del self.sessions[core_id]
            self.bus.emit("offline", core_id, reason=session.over.result() if session.over.done() else "")

    @cached_property
    def _another(self) -> rsa.RSAPrivateKey:
        """A key that no Core holds."""
        return make_server_key()

    async def watch_silence(self) -> None:
        """Ask Cores that have been silent whether they are there, and hang up on those that do not answer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            for session in list(self.sessions.values()):
                silent = loop.time() - session.connection.last_heard
                if silent > SILENT_SECONDS:
                    session.connection.close(f"nothing for {SILENT_SECONDS:.0f} s")
                elif silent > ASKED_AFTER_SECONDS:
                    session.ask_whether_there(since=session.connection.last_heard)
