"""A Core in its cloud, as the bench sees it: whether it is back, what it offers, updates over the air."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rig.boards.cloud_events import forwarding_events, with_board_name
from rig.clock import Clock, poll
from rig.drivers.progress import Progress, Watcher
from rig.errors import DeviceFault, LabFault
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.families.spark_core.formats import flash as layout
from rig.firmware.manifest import Image

LOOK_EVERY_SECONDS = 0.1

#: What the cloud tells, as phases that a cut can aim at.
PHASES = {
    "online": "online",
    "hello-sent": "hello",
    "begin-sent": "begin",
    "ready": "ready",
    "done-sent": "done",
    "done-acknowledged": "copy",
}


class Online:
    """One Core in the cloud behind `client`. Its questions raise what the cloud says, with the board's name."""

    def __init__(
        self,
        client: SparkCloudClient,
        core_id: str,
        *,
        board: str,
        clock: Clock,
        add_action: Callable[[str], None] = lambda _action: None,
    ):
        self.client, self.core_id = client, core_id
        self._board, self._clock, self._add_action = board, clock, add_action
        self._known: Any = None
        #: Told of every update that is over: what came of it.
        self.on_update: Callable[[dict[str, Any]], None] = lambda _result: None

    def clear(self) -> None:
        """The cloud does nothing special for this Core any more: faults are forgotten, its key is its own again."""
        with with_board_name(self._board):
            self.client.ask("clear-faults", core=self.core_id)
            self.client.ask("restore-key", core=self.core_id)

    def forget(self) -> None:
        """What is online now does not count: the board is about to lose its power."""
        with contextlib.suppress(LabFault):  # a cloud that is away keeps no board from being switched
            info = self.info()
            self._known = info["since"] if info is not None else None

    def info(self) -> dict[str, Any] | None:
        """What the cloud's list says of the Core; a Core that lost power stays on it for a while."""
        cores = self._asked("list")["cores"]
        return next((listed for listed in cores if listed["core"] == self.core_id), None)

    def is_back(self) -> bool:
        """Whether the Core has come online since `forget`, and has answered.

        Before it answers it may still be writing its flags page: whoever took its power now would strand it (§3.5).
        """
        info = self.info()
        if info is None or info["since"] == self._known:
            return False
        try:
            self._asked("ping", core=self.core_id)
        except (DeviceFault, LabFault):
            return False
        return True

    def wait(self, seconds: float, given_up: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """Wait until it is back; returns what the cloud's list says of it.

        Raises DeviceFault when it is not, LabFault when somebody has given up waiting.
        """
        back = poll(lambda: given_up() or self.is_back(), seconds=seconds, clock=self._clock, every=LOOK_EVERY_SECONDS)
        if given_up():
            raise LabFault("nobody waits any more", board=self._board)
        if not back:
            expected = f"online within {seconds:.1f} s"
            raise DeviceFault(f"is not {expected}", board=self._board, phase="online", expected=expected)
        return self.info() or {}

    def describe(self) -> dict[str, Any]:
        """Functions and variables."""
        return self._asked("describe", core=self.core_id)

    def variable(self, name: str) -> Any:
        """Value of a variable."""
        return self._asked("variable", core=self.core_id, name=name)["value"]

    def call(self, name: str, argument: str = "") -> int:
        """What a function returns."""
        return int(self._asked("call", core=self.core_id, name=name, argument=argument)["returned"])

    def fault(self, kind: str, **how: Any) -> None:
        """Let something go wrong with this Core."""
        self._add_action(f"let its cloud make this go wrong: {kind}")
        self._asked("fault", kind=kind, core=self.core_id, **how)

    def disturb(self, kind: str, message: str, **how: Any) -> None:
        """Let the network do something to a message of this Core, from its next connection on."""
        self._asked("disturb", kind=kind, message=message, core=self.core_id, **how)

    def connect_anew(self, seconds: float) -> None:
        """Hang up on the Core, and wait until it is back."""
        self.forget()
        self.hang_up()
        self.wait(seconds)

    def hang_up(self) -> None:
        """Let the cloud forget a Core whose power is gone."""
        if self.info() is not None:
            self._asked("disconnect", core=self.core_id)

    def update(self, image: Image, **how: Any) -> dict[str, Any]:
        """Update over the air; returns what came of it."""
        self._add_action(f"sent {image.name} over the air")
        with with_board_name(self._board):
            result = self.client.flash(self.core_id, image.data, lambda _event: None, **how)
            if result["ok"]:
                self.client.ask("ping", core=self.core_id)
        self.on_update(
            {"core": self.core_id, "applied": result["ok"], "image": image.sha256, "reason": result["reason"]}
        )
        return result

    def begin_update(self, image: Image, **how: Any) -> UpdateUnderWay:
        """Update on a thread of its own: for whoever does something to the Core meanwhile."""
        under_way = UpdateUnderWay(lambda: self.update(image, **how))
        under_way.start()
        return under_way

    @contextmanager
    def watched(self, watch: Watcher) -> Iterator[list[str]]:
        """While inside, `watch` is told of phases as the cloud sees them; yields the events' names as they come."""
        seen: list[str] = []
        phases = _Phases(watch)

        def use(event: dict[str, Any]) -> None:
            seen.append(event["event"])
            phases.see(event)

        with forwarding_events(self.client, use, board=self._board, core=self.core_id):
            yield seen

    @contextmanager
    def hearing(self, name: str) -> Iterator[list[str]]:
        """While inside, the data of each event of this name that the Core publishes."""
        published: list[str] = []

        def use(event: dict[str, Any]) -> None:
            if event["event"] == "published" and event["name"] == name:
                published.append(event["data"] or "")

        with forwarding_events(self.client, use, board=self._board, core=self.core_id):
            yield published

    def _asked(self, do: str, **content: Any) -> dict[str, Any]:
        with with_board_name(self._board):
            return self.client.ask(do, **content)


class UpdateUnderWay(threading.Thread):
    """An update that goes on beside us; a cloud takes minutes to give up a Core that stays away, we need not."""

    def __init__(self, work: Callable[[], dict[str, Any]]):
        super().__init__(name="update over the air", daemon=True)
        self._work = work
        self._result: dict[str, Any] = {}
        self.error: Exception | None = None
        self.given_up = threading.Event()

    def run(self) -> None:
        """Update."""
        try:
            self._result = self._work()
        except Exception as error:  # whatever it is, whoever asks for the result is to know
            self.error = error

    def give_up(self) -> None:
        """Let it do nothing more that it has not begun."""
        self.given_up.set()

    def result(self) -> dict[str, Any]:
        """Wait until it is over; what came of it. Raises what ended it."""
        self.join()
        if self.error is not None:
            raise self.error
        return self._result


class _Phases:
    """The cloud's events as phases that a cut can aim at."""

    def __init__(self, watch: Watcher):
        self._watch = watch
        self._chunk_size = 0

    def see(self, event: dict[str, Any]) -> None:
        """Pass on what an event means."""
        name = event["event"]
        if name == "update":
            self._chunk_size = event["chunk_size"]
        elif name == "chunk":
            done = (event["index"] + 1) * self._chunk_size
            self._watch(Progress("download", layout.OTA_ADDRESS + done, done, event["of"] * self._chunk_size))
        elif name in PHASES:
            self._watch(Progress(PHASES[name], 0, 1, 1))
