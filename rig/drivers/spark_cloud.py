"""A Spark cloud through its control port: what tests and people ask of Cores that are online."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver

from rig.errors import DeviceFault, LabFault, Misuse, RigError
from rig.ports import read_address

CONNECT_SECONDS = 5.0
#: Longer than any question to a Core takes; an update has its own end.
ANSWER_SECONDS = 60.0
_FAULTS: dict[int, type[RigError]] = {1: DeviceFault, 2: Misuse, 3: LabFault}

Told = dict[str, Any]


class SparkCloudClient:
    """Speaks with the control port at `host`:`port`; each question has a connection of its own."""

    def __init__(self, host: str, port: int):
        self._address = (host, port)

    @classmethod
    def at(cls, address: str) -> SparkCloudClient:
        """From `HOST:PORT`. Raises Misuse."""
        return cls(*read_address(address, "the control port", "127.0.0.1:5684, as `rig cloud spark` tells it"))

    def ask(self, do: str, **content: Any) -> Told:
        """Ask, and return the answer. Raises what the cloud says, and LabFault when it cannot be reached."""
        *_, answer = self.stream(do, **content)
        return answer

    def stream(self, do: str, *, patience: float | None = ANSWER_SECONDS, **content: Any) -> Iterator[Told]:
        """Ask, and yield all that is told until it is done; `patience` is how long to wait for each, in seconds."""
        with self.subscription(do, patience=patience, **content) as told:
            for entry in told:
                yield entry
                if entry.get("done"):
                    return
        raise self._fault("hung up")

    def subscription(self, do: str, *, patience: float | None = None, **content: Any) -> Subscription:
        """Ask for something that goes on; close it to end that."""
        try:
            sock = socket.create_connection(self._address, timeout=CONNECT_SECONDS)
        except OSError as error:
            raise self._fault(f"cannot be reached: {error}") from error
        sock.settimeout(patience)
        try:
            sock.sendall(json.dumps({"do": do, **content}).encode() + b"\n")
        except OSError as error:
            sock.close()
            raise self._fault(f"broke: {error}") from error
        return Subscription(sock, self._fault)

    def flash(self, core: str, image: bytes, watch: Callable[[Told], None], **how: Any) -> Told:
        """Update a Core over the air, telling `watch` each event; returns what came of it."""
        told: Told = {}
        for told in self.stream("flash", patience=900, core=core, image=base64.b64encode(image).decode(), **how):
            if not told.get("done"):
                watch(told)
        return told

    def _fault(self, message: str) -> LabFault:
        host, port = self._address
        return LabFault(f"the Spark cloud at {host}:{port} {message}", hint="is `rig cloud spark` running?")


@target_factory.reg_driver
@attr.s(eq=False)
class SparkCloudDriver(Driver):  # type: ignore[misc]
    """The rack's Spark cloud, through its control port."""

    bindings = {"service": "NetworkService"}  # noqa: RUF012 (labgrid's convention)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def client(self) -> SparkCloudClient:
        """Whom to ask."""
        return SparkCloudClient(self.service.address, int(self.service.port))


class Subscription:
    """What a control port tells, line by line. Use as a context manager; closing it wakes whoever reads."""

    def __init__(self, sock: socket.socket, fault: Callable[[str], LabFault]):
        self._sock, self._fault = sock, fault
        self._lines = sock.makefile("rb")

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, from any thread."""
        with contextlib.suppress(OSError):  # the other end was faster
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def __iter__(self) -> Iterator[Told]:
        while True:
            try:
                line = self._lines.readline()
            except TimeoutError:
                raise self._fault("does not answer") from None
            except OSError as error:
                raise self._fault(f"broke: {error}") from error
            if not line:
                return
            try:
                told = json.loads(line)
            except ValueError:
                raise self._fault("was cut off in the middle of an answer") from None
            if "error" in told:
                raise _FAULTS.get(told["status"], LabFault)(told["error"], board=told["board"], hint=told["hint"])
            yield told
