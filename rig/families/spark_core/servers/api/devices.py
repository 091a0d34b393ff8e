"""The devices of the API: Cores that the cloud knows, their names, and what is known of those that are away.

What a Core is called lies beside its key, in `ID.json`: the reference server's file, whose other fields are kept.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.formats.messages import UNKNOWN
from rig.families.spark_core.servers.api.refusal import Refused, no_such_device
from rig.families.spark_core.servers.cloud import SparkCloud
from rig.families.spark_core.servers.core_keys import checked_core_id, read_core_public_key
from rig.families.spark_core.servers.events import Event
from rig.families.spark_core.servers.session import Session
from rig.files import read_user_file
from rig.ports import host_of

LONGEST_NAME = 64
#: What is noted of a device is a name and two words.
MOST_NOTED = 64 << 10
PATCH_VERSION = "spark/cc3000-patch-version"


class Devices:
    """Cores by id or name. Those that were released are still known, and nobody's."""

    def __init__(self, cloud: SparkCloud):
        self._cloud = cloud
        self._heard: dict[str, float] = {}
        self._radio: dict[str, str] = {}
        self.stop = cloud.bus.subscribe(self._hear)

    def claimed(self) -> list[str]:
        """Ids of the Cores that were not released."""
        return [core_id for core_id in self._cloud.core_keys.known() if self.is_claimed(core_id)]

    def is_claimed(self, core_id: str) -> bool:
        """Whether a Core was not released."""
        return not self._kept(core_id).get("released")

    def find(self, text: str) -> str:
        """The id of a device, of its id or its name. Raises Refused."""
        claimed = self.claimed()
        if text.lower() in claimed:
            return text.lower()
        named = [core_id for core_id in claimed if self._name(core_id) == text]
        if len(named) > 1:
            raise Refused(400, "Ambiguous name", f"{len(named)} devices are called {text!r}: {', '.join(named)}")
        if not named:
            raise no_such_device(text)
        return named[0]

    def rename(self, core_id: str, name: str) -> None:
        """Call a device by a name of its own. Raises Refused."""
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise Refused(400, "Bad name", f"a name has 1 to {LONGEST_NAME} characters that can be printed")
        others = [other for other in self._cloud.core_keys.known() if other != core_id]
        if name.lower() in others or name in map(self._name, others):
            raise Refused(400, "Name in use", f"another device is called {name!r} already")
        self._keep(core_id, name=name)

    def claim(self, text: str) -> str:
        """Take a Core that this cloud knows for one's own; returns its id. Raises Refused."""
        try:
            core_id = checked_core_id(text)
        except Misuse as error:
            raise Refused(400, "Bad id", str(error)) from error
        if core_id not in self._cloud.core_keys.known():
            raise no_such_device(text)
        if not self.is_claimed(core_id):
            self._keep(core_id, released=False)
        return core_id

    def release(self, core_id: str) -> None:
        """Be rid of a device, until it is claimed again; its session goes on."""
        self._keep(core_id, released=True)

    def provision(self, text: str, pem: str) -> None:
        """Know a Core by its public key from now on. Raises Misuse for what is no Core's, Refused for another's id."""
        core_id = checked_core_id(text)
        known = self._cloud.core_keys.find(core_id)
        if known is not None and known != read_core_public_key(pem.encode(), core_id):
            raise Refused(400, "Key in use", f"{core_id} has another key here: remove its file to give it a new one")
        self._cloud.core_keys.add(core_id, pem.encode())

    def session(self, core_id: str) -> Session | None:
        """A device's session while it is online."""
        return self._cloud.sessions.get(core_id)

    # -- what is told of them ------------------------------------------------------------------------------------------

    def summary(self, core_id: str) -> dict[str, Any]:
        """A device in the list of all."""
        session = self.session(core_id)
        product = session.hello.product if session is not None else UNKNOWN
        return {
            "id": core_id,
            "name": self._name(core_id),
            "last_app": None,
            "last_heard": self.last_heard(core_id),
            "last_ip_address": host_of(session.connection.peer) if session is not None else None,
            "connected": session is not None,
            "platform_id": 0,
            "product_id": 0 if product == UNKNOWN else product,
        }

    async def details(self, core_id: str) -> dict[str, Any]:
        """A device with its functions and variables; one that does not answer is not connected."""
        fields = self.summary(core_id)
        variables: dict[str, str] | None = None
        functions: list[str] | None = None
        session = self.session(core_id)
        if session is not None and session.update_listener is not None:
            variables, functions = {}, []
        elif session is not None:
            try:
                description = await session.describe()
                variables, functions = description["v"], description["f"]
            except (DeviceFault, LabFault):
                fields["connected"] = False
        return {
            **fields,
            "variables": variables,
            "functions": functions,
            "cc3000_patch_version": self._radio.get(core_id),
        }

    def last_heard(self, core_id: str) -> str | None:
        """When a device was heard last, None where this cloud never did."""
        session = self.session(core_id)
        at = self._heard.get(core_id) if session is None else time.time() - _silent_seconds(session)
        return None if at is None else iso_time(at)

    def _hear(self, event: Event) -> None:
        core_id = event["core"]
        if core_id is None:
            return
        if event["event"] in ("online", "offline"):
            self._heard[core_id] = time.time()
        elif event["event"] == "published" and event["name"] == PATCH_VERSION and event["data"] is not None:
            self._radio[core_id] = event["data"]

    # -- what is kept --------------------------------------------------------------------------------------------------

    def _name(self, core_id: str) -> str | None:
        name = self._kept(core_id).get("name")
        return name if isinstance(name, str) else None

    def _kept(self, core_id: str) -> dict[str, Any]:
        """What is noted of a Core; nothing where its file cannot be read."""
        try:
            content = json.loads(read_user_file(self._cloud.core_keys.folder / f"{core_id}.json", MOST_NOTED))
        except (Misuse, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def _keep(self, core_id: str, **changes: Any) -> None:
        path = self._cloud.core_keys.folder / f"{core_id}.json"
        fresh = path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps({"coreID": core_id, **self._kept(core_id), **changes}, indent=2))
            fresh.replace(path)
        except OSError as error:
            raise LabFault(f"cannot write {path}: {error.strerror}") from error


def iso_time(at: float) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _silent_seconds(session: Session) -> float:
    return asyncio.get_running_loop().time() - session.connection.last_heard
