"""What a network does, when it is told to, to the messages between a Core and its cloud."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from rig.errors import Misuse
from rig.limits import refuse_more

Kind = Literal["hold", "delay", "split", "merge", "cut"]
KINDS: tuple[str, ...] = get_args(Kind)
#: Messages by name, in the order of a session with an update: to the Core, and from it.
TO_CORE = ("nonce", "answer", "server-hello", "begin", "chunk", "done", "ping", "missed-ack", "other-to-core")
FROM_CORE = (
    "introduction", "hello", "begin-ack", "ready", "chunk-ack", "received", "missed", "done-ack", "finished", "pong",
    "other-from-core",
)  # fmt: skip
MESSAGES = (*TO_CORE, *FROM_CORE)


@dataclass(slots=True)
class Disturbance:
    """What is to happen to a message, by its name; the first `number` messages of that name pass before it.

    hold: from it on nothing passes in its direction for `seconds`, then all at once. delay: from it on everything in
    its direction is late by so much. split: after its first byte it pauses. merge: it waits for the next message in
    its direction, but no longer, and they pass as one. cut: the connection breaks before it.
    """

    kind: str
    message: str
    number: int = 0
    seconds: float = 4.0
    core: str | None = None

    def check(self) -> None:
        """Raises Misuse for a disturbance that cannot be."""
        if self.kind not in KINDS:
            raise Misuse(f"no disturbance is called {self.kind!r}", hint=f"one of {', '.join(KINDS)}")
        if self.message not in MESSAGES:
            raise Misuse(f"no message is called {self.message!r}", hint=f"one of {', '.join(MESSAGES)}")
        if self.number < 0 or not 0 < self.seconds <= 3600:
            raise Misuse(f"disturbance {self.kind} at {self.message}: number or seconds make no sense")


class Disturbances:
    """Disturbances that are still to happen, each once."""

    def __init__(self) -> None:
        self._waiting: list[Disturbance] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, disturbance: Disturbance) -> None:
        """Let it happen when its time comes. Raises Misuse."""
        disturbance.check()
        refuse_more(self._waiting, "disturbances")
        self._waiting.append(disturbance)

    def clear(self, core: str | None = None) -> None:
        """Let nothing more happen, to one Core or to any."""
        self._waiting = [each for each in self._waiting if core is not None and each.core != core]

    def take(self, message: str, core: str | None) -> Disturbance | None:
        """A message of this name passes: what happens to it, None when nothing does."""
        met = [each for each in self._waiting if each.message == message and each.core in (None, core)]
        for each in met:
            each.number -= 1
        due = next((each for each in met if each.number < 0), None)
        if due is not None:
            self._waiting.remove(due)
        return due

    def pending(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        return [asdict(each) for each in self._waiting]
