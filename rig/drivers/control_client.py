"""What both update servers' control ports answer, from their clients' side: a question, or what goes on for a while."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from rig.control.address import UNIX, ControlAddress, TcpAddress, read_control_address
from rig.control.token import token_for
from rig.errors import DeviceFault, LabFault, Misuse, RigError
from rig.ports import format_address

CONNECT_SECONDS = 5.0
#: Longer than any question to a board takes; an update has its own end.
ANSWER_SECONDS = 60.0
_FAULTS: dict[int, type[RigError]] = {1: DeviceFault, 2: Misuse, 3: LabFault}

Told = dict[str, Any]


class ControlClient:
    """Speaks with the control port at `address`; each question has a connection of its own.

    On TCP it shows the token in `token_file`, or the one that is found without (rig.control.token).
    """

    #: What people call the server, what serves it, and where that listens for us unless it is told otherwise.
    server: ClassVar[str]
    served_by: ClassVar[str]
    usual: ClassVar[str]

    def __init__(self, address: ControlAddress, token_file: Path | None = None):
        self._address, self._token_file = address, token_file

    @classmethod
    def at(cls, address: str, token_file: Path | None = None) -> Self:
        """From `unix:PATH` or `HOST:PORT`. Raises Misuse."""
        example = f"{cls.usual}, as `{cls.served_by}` tells it"
        return cls(read_control_address(address, "the control port", example), token_file)

    @classmethod
    def of(cls, service: Any, token_file: str | None) -> Self:
        """From a labgrid NetworkService, whose address may be `unix:PATH`. Raises Misuse."""
        is_socket = service.address.startswith(UNIX)
        address = service.address if is_socket else format_address(service.address, int(service.port))
        return cls.at(address, Path(token_file) if token_file is not None else None)

    def ask(self, do: str, *expected: str, **content: Any) -> Told:
        """Ask, and return the answer, which has the fields `expected`.

        Raises what the server says, and LabFault when it cannot be reached or is another one.
        """
        *_, answer = self.stream(do, **content)
        if not set(expected) <= set(answer):
            raise self._fault(f"is no {self.server.removeprefix('the ')}: its answer has no {', '.join(expected)}")
        return answer

    def stream(self, do: str, *, patience: float | None = ANSWER_SECONDS, **content: Any) -> Iterator[Told]:
        """Ask, and yield all that is told until it is done; `patience` is how long to wait for each, in seconds."""
        with self.subscription(do, patience=patience, **content) as told:
            for entry in told:
                yield entry
                if entry.get("done"):
                    return

    def subscription(self, do: str, *, patience: float | None = None, **content: Any) -> Subscription:
        """Ask for something that goes on; close it to end that."""
        token = token_for(self._address, self._token_file) if isinstance(self._address, TcpAddress) else None
        shown = {"token": token} if token is not None else {}
        try:
            sock = self._address.dial(CONNECT_SECONDS)
        except OSError as error:
            raise self._fault(f"cannot be reached: {error.strerror or error}") from error
        sock.settimeout(patience)
        try:
            sock.sendall(json.dumps({"do": do, **content, **shown}).encode() + b"\n")
        except OSError as error:
            sock.close()
            raise self._fault(f"broke: {error}") from error
        return Subscription(sock, self._fault)

    def events(self, *, patience: float | None = ANSWER_SECONDS, **of: str | None) -> Subscription:
        """What happens from now on; returns when nothing can be missed any more. Close it to end that."""
        subscription = self.subscription("events", patience=patience, **of)
        try:
            if not next(iter(subscription)).get("subscribed"):
                raise self._fault("says what no such server says")
        except BaseException:
            subscription.close()
            raise
        return subscription

    def fault(self, kind: str, **how: Any) -> Told:
        """Let something go wrong."""
        return self.ask("fault", kind=kind, **how)

    def _fault(self, message: str) -> LabFault:
        return LabFault(f"{self.server} at {self._address} {message}", hint=f"is `{self.served_by}` running?")


class Subscription:
    """What a control port tells, line by line. Use as a context manager; closing it wakes whoever reads.

    Who reads it gets LabFault where the server ends it: that it is gone is not the end of what happens.
    """

    def __init__(self, sock: socket.socket, fault: Callable[[str], LabFault]):
        self._sock, self._fault = sock, fault
        self._lines = sock.makefile("rb")
        self._is_closed = False

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, from any thread."""
        self._is_closed = True
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
            if not line and self._is_closed:
                return
            if not line:
                raise self._fault("hung up")
            try:
                told = json.loads(line)
            except ValueError:
                whole = line.endswith(b"\n")
                raise self._fault("says what no such server says" if whole else "was cut off in an answer") from None
            if not isinstance(told, dict):
                raise self._fault("says what no such server says")
            if "error" in told:
                fault = _FAULTS.get(told.get("status", 0), LabFault)
                raise fault(str(told["error"]), board=told.get("board"), hint=told.get("hint"))
            yield told
