"""What both update servers' control ports answer, from their clients' side: a question, or what goes on for a while."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from rig.control.address import UNIX, ControlAddress, TcpAddress, read_control_address
from rig.control.token import token_for
from rig.errors import DeviceFault, LabFault, Misuse, RigError
from rig.formats.json_shape import Shape, misfit
from rig.ports import format_address

CONNECT_SECONDS = 5.0
#: Longer than any question to a board takes; an update has its own end.
ANSWER_SECONDS = 60.0
#: More bytes than any answer has: a log of 10,000 entries of 1 KB each.
LONGEST_ANSWER = 32 << 20
_FAULTS: dict[int, type[RigError]] = {1: DeviceFault, 2: Misuse, 3: LabFault}

JsonObject = dict[str, Any]


class ControlClient:
    """Speaks with the control port at `address`; each question has a connection of its own.

    On TCP it shows the token in `token_file`, or the one that is found without (rig.control.token).
    """

    #: What people call the server, what serves it, and where that listens for us unless it is told otherwise.
    server: ClassVar[str]
    served_by: ClassVar[str]
    default_address: ClassVar[str]
    #: What must be in the answer to a request, by its name: the last line, where it tells more.
    answer_shapes: ClassVar[Mapping[str, Shape]] = {}
    #: What must be in every event, and in those of a name.
    event_shape: ClassVar[Shape] = {"event": str}
    event_shapes: ClassVar[Mapping[str, Shape]] = {}

    def __init__(self, address: ControlAddress, token_file: Path | None = None):
        self._address, self._token_file = address, token_file

    @classmethod
    def at(cls, address: str, token_file: Path | None = None) -> Self:
        """From `unix:PATH` or `HOST:PORT`. Raises Misuse."""
        example = f"{cls.default_address}, as `{cls.served_by}` tells it"
        return cls(read_control_address(address, "the control port", example), token_file)

    @classmethod
    def of(cls, service: Any, token_file: str | None) -> Self:
        """From a labgrid NetworkService, whose address may be `unix:PATH`. Raises Misuse."""
        is_socket = service.address.startswith(UNIX)
        address = service.address if is_socket else format_address(service.address, int(service.port))
        return cls.at(address, Path(token_file) if token_file is not None else None)

    def ask(self, do: str, **content: Any) -> JsonObject:
        """Ask, and return the answer, which is as `answer_shapes` says.

        Raises what the server says, and LabFault when it cannot be reached or is another one.
        """
        *_, answer = self.stream(do, **content)
        return answer

    def stream(self, do: str, *, timeout: float | None = ANSWER_SECONDS, **content: Any) -> Iterator[JsonObject]:
        """Ask, and yield all that is told until it is done; `timeout` is how long to wait for each, in seconds."""
        with self.subscription(do, timeout=timeout, **content) as answers:
            for entry in answers:
                if entry.get("done") and (wrong := misfit(entry, self.answer_shapes.get(do, {}))):
                    raise self._fault(f"is no {self.server.removeprefix('the ')}: in its answer {wrong}")
                yield entry
                if entry.get("done"):
                    return

    def subscription(self, do: str, *, timeout: float | None = None, **content: Any) -> Subscription:
        """Ask for something that goes on; close it to end that."""
        token = token_for(self._address, self._token_file) if isinstance(self._address, TcpAddress) else None
        shown = {"token": token} if token is not None else {}
        try:
            sock = self._address.dial(CONNECT_SECONDS)
        except OSError as error:
            raise self._fault(f"cannot be reached: {error.strerror or error}") from error
        sock.settimeout(timeout)
        try:
            sock.sendall(json.dumps({**shown, "do": do, **content}).encode() + b"\n")
        except OSError as error:
            sock.close()
            raise self._fault(f"broke: {error}") from error
        return Subscription(sock, self._fault, self._check_event)

    def events(self, *, timeout: float | None = ANSWER_SECONDS, **of: str | None) -> Subscription:
        """What happens from now on; returns when nothing can be missed any more. Close it to end that."""
        subscription = self.subscription("events", timeout=timeout, **of)
        try:
            first = next(iter(subscription))
            if not first.get("subscribed"):
                raise self._fault("says what no such server says")
            at_ns = first.get("at_ns")
            subscription.since_ns = at_ns if isinstance(at_ns, int) else 0
        except BaseException:
            subscription.close()
            raise
        return subscription

    def fault(self, kind: str, **how: Any) -> JsonObject:
        """Let something go wrong."""
        return self.ask("fault", kind=kind, **how)

    def _check_event(self, event: JsonObject) -> None:
        """Raises LabFault for an event that is none of such a server's."""
        wrong = misfit(event, self.event_shape) or misfit(event, self.event_shapes.get(event["event"], {}))
        if wrong:
            raise self._fault(f"tells what no such server tells: of an event, {wrong}")

    def _fault(self, message: str) -> LabFault:
        return LabFault(f"{self.server} at {self._address} {message}", hint=f"is `{self.served_by}` running?")


class Subscription:
    """What a control port tells, line by line. Use as a context manager; closing it wakes whoever reads.

    Who reads it gets LabFault where the server ends it: that it is gone is not the end of what happens.
    """

    def __init__(self, sock: socket.socket, fault: Callable[[str], LabFault], check: Callable[[JsonObject], None]):
        """`fault` makes a fault of a message; `check` raises one for what is no event of the server's."""
        self._sock, self._fault, self._check = sock, fault, check
        self._lines = sock.makefile("rb")
        self._is_closed = False
        #: When it began, by the server's clock, where that is told.
        self.since_ns = 0

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

    def __iter__(self) -> Iterator[JsonObject]:
        while True:
            try:
                line = self._lines.readline(LONGEST_ANSWER)
            except TimeoutError:
                raise self._fault("does not answer") from None
            except OSError as error:
                raise self._fault(f"broke: {error}") from error
            if not line and self._is_closed:
                return
            if not line:
                raise self._fault("hung up")
            answer = self._read(line)
            if "error" in answer:
                raise _their_fault(answer)
            yield answer

    def _read(self, line: bytes) -> JsonObject:
        """What a line tells. Raises LabFault for one of another kind of server's."""
        if not line.endswith(b"\n"):
            long = len(line) >= LONGEST_ANSWER
            raise self._fault("answers without end" if long else "was cut off in an answer")
        try:
            answer = json.loads(line)
        except (RecursionError, ValueError):
            raise self._fault("says what no such server says") from None
        if not isinstance(answer, dict):
            raise self._fault("says what no such server says")
        if not {"done", "error", "subscribed"} & set(answer):
            self._check(answer)
        return answer


def _their_fault(answer: JsonObject) -> RigError:
    """The error that a server tells."""
    fault = next((kind for status, kind in _FAULTS.items() if answer.get("status") == status), LabFault)
    board, hint = (str(answer[name]) if answer.get(name) is not None else None for name in ("board", "hint"))
    return fault(str(answer["error"]), board=board, hint=hint)
