"""The setup of a scenario of keys on a rack: a Core in its place, and the Spark cloud that is somebody else to it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rig.boards.cloud_events import forwarding_events, with_board_name
from rig.boards.server_log import ServerLog
from rig.clock import poll, wait_fixed
from rig.drivers.progress import Progress
from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.keys import read_core_key, read_server_record, write_server_record
from rig.families.spark_core.boards.online import UpdateUnderWay
from rig.families.spark_core.boards.provisioning import read_core_id
from rig.families.spark_core.formats.keys import ServerRecord
from rig.families.spark_core.trust.core_key import core_public_key, make_core_key
from rig.families.spark_core.trust.key_scenario import NO_HELLO, OTHER_KEY, CloudKeys, KeyScenario
from rig.firmware.manifest import Image

#: What is told of the one server that a Core has.
HOST = "cloud"
#: So many failed handshakes in a row, and a Core counts as locked out: it tries with the same keys for ever (§7.3).
LOCKED_OUT = 3
FOR_EVER = 1_000_000
#: A transfer tells its end itself, sooner or later as the machine is busy; one that has not after so long hangs.
TRANSFER_HANGS = 120.0
#: A Core that was never seen to try within so long does not run.
TRIES_AT_ALL = 120.0
#: Events of the cloud after which nothing came, and how such a handshake failed.
OUTCOMES = {"other-key": OTHER_KEY, "answered": NO_HELLO}


class CoreScenarioSetup:
    """A Core in its known state, online by its place's cloud.

    Use it as a context: afterwards cloud and Core know each other's keys again. Raises Misuse where it has no cloud.
    """

    def __init__(self, board: SparkCore, roles: Mapping[str, Image]):
        if board.online is None:
            raise Misuse("has no cloud here", board=board.name, hint="ask for a place with the tag wifi=joined")
        self._board, self._online = board, board.online
        self._roles, self._runs = dict(roles), roles["old"]
        #: What is on its way when something happens meanwhile: the longest there is.
        self._long = roles.get("full", roles["new"])
        self._under_way: UpdateUnderWay | None = None

    def __enter__(self) -> CoreScenarioSetup:
        """Read what the Core was shipped with."""
        self._board.enter_dfu()
        self._record = read_server_record(self._board)
        pem = core_public_key(read_core_key(self._board))
        if pem is None:
            raise LabFault("holds no key of its own that it reads right", board=self._board.name)
        self._pem, self._shown = pem, self._record.key
        return self

    def __exit__(self, *_error: object) -> None:
        self._be(CloudKeys())
        self._board.enter_dfu()
        if read_server_record(self._board) != self._record:
            write_server_record(self._board, self._record)
        if self._under_way is not None:
            self._board.start()  # its cloud waits for it
            self._under_way.join(self._board.timing.start)

    # -- what the cloud is -------------------------------------------------------------------------------------------

    def show(self, scenario: KeyScenario, *, after: bool) -> dict[str, str]:
        """Be this server to the Core from the next handshake on."""
        self._be(scenario.after if after else scenario.before)
        return {HOST: hashlib.sha256(self._shown).hexdigest()}

    def _be(self, keys: CloudKeys) -> None:
        self._online.clear()
        self._shown = self._record.key
        if keys.server == "new":
            self._shown = bytes.fromhex(self._ask("swap-key")["public_key"])
        self._ask("add-core", pem=self._pem if keys.core == "its-own" else make_core_key().public_pem)
        if keys.signs == "another":
            self._online.fault("wrong-signature", times=FOR_EVER)

    def _ask(self, do: str, **content: Any) -> dict[str, Any]:
        with with_board_name(self._board.name):
            return self._online.client.ask(do, core=self._online.core_id, **content)

    # -- what the Core does ------------------------------------------------------------------------------------------

    def look(self) -> ServerLog:
        """Start the Core, which goes online then; returns what its cloud saw until it was, or was locked out."""
        with self._watched() as (seen, events):

            def is_over() -> bool:
                return events.count("other-key") >= LOCKED_OUT or (bool(seen.requests) and self._online.is_back())

            self._board.start()
            poll(is_over, seconds=self._board.timing.start, clock=self._board.clock)
            if not seen.requests and not events:  # a Core that runs tries, sooner or later as the machine is busy
                poll(lambda: events or is_over(), seconds=TRIES_AT_ALL, clock=self._board.clock)
        for event, outcome in OUTCOMES.items():
            if event in events:
                seen.handshakes.append({"host": HOST, "identity": None, "outcome": outcome})
        return seen

    def fetch(self, meanwhile: Callable[[], None]) -> bool:
        """Update over the air, and do `meanwhile` when half of it has come. Whether it is what the Core runs then."""
        with self._half_sent(self._long) as over:
            meanwhile()
            poll(self._is_through(over), seconds=TRANSFER_HANGS, clock=self._board.clock)
        wait_fixed(self._board.timing.ota_copy, self._board.clock)
        if not self._holds(self._long):
            return False
        self._runs = self._long
        return True

    def cut_fetch(self) -> None:
        """Update over the air, and take the supply away when half of it has come."""
        with self._half_sent(self._long):
            self.power_off()
        self._online.hang_up()

    def power_off(self) -> None:
        """Take the supply away."""
        self._board.power_off()

    def update(self) -> bool:
        """Update over the air to an image that does not run yet. Whether the Core says so, and its flash."""
        other = self._roles["new"] if self._runs is not self._roles["new"] else self._roles["old"]
        self._board.start()
        try:
            self._board.go_online()
            if self._under_way is not None:
                self._under_way.result()  # a cloud that was left alone waits for its Core
                self._under_way = None
            return bool(self._online.update(other)["ok"]) and self._holds(other)
        except DeviceFault:
            return False

    def rescue_by_cable(self) -> None:
        """Write the key of the server as it is now; its address stays."""
        self._board.enter_dfu()
        write_server_record(self._board, ServerRecord(self._shown, self._record.address))

    def runs(self) -> bool:
        """Whether the firmware that ran before runs still: it answers on its console, and flash holds nothing else."""
        board = self._board
        assert board.console is not None, "a place with MODE and a console"
        board.start()
        board.is_alive(board.timing.start)  # one that is locked out shows nothing, and MODE is read by what runs
        try:
            board.make_listen()
        except DeviceFault:
            return False
        answered = read_core_id(board.console, board=board.name, seconds=board.timing.start)
        return answered == self._online.core_id and self._holds(self._runs)

    # -- how ---------------------------------------------------------------------------------------------------------

    def _holds(self, image: Image) -> bool:
        return self._board.read_application(len(image)) == image.data

    def _is_through(self, over: threading.Event) -> Callable[[], bool]:
        under_way = self._under_way
        return lambda: over.is_set() or under_way is None or not under_way.is_alive()

    @contextmanager
    def _half_sent(self, image: Image) -> Iterator[threading.Event]:
        """Begin an update; inside, half of it has left. Yields what is set once all has, whether or not it came.

        Raises LabFault when it does not come that far.
        """
        half_way, over = threading.Event(), threading.Event()

        def watch(progress: Progress) -> None:
            if progress.phase == "download" and progress.done >= progress.total / 2:
                half_way.set()
            elif progress.phase in ("done", "copy"):
                over.set()

        self._board.start()
        self._board.go_online()
        with self._online.watched(watch):
            self._under_way = self._online.begin_update(image)
            came = poll(half_way.is_set, seconds=self._board.timing.ota_copy, clock=self._board.clock)
            if not came or over.is_set():
                raise LabFault("was not met in the middle of a download", board=self._board.name, phase="download")
            yield over

    @contextmanager
    def _watched(self) -> Iterator[tuple[ServerLog, list[str]]]:
        """While inside, what the cloud sees of this Core: that it is online, and handshakes that came to nothing."""
        seen, events = ServerLog(), list[str]()

        def use(event: dict[str, Any]) -> None:
            name, is_mine = event["event"], event["core"] == self._online.core_id
            if is_mine and name == "online":
                seen.requests.append(event)
                events[:] = [earlier for earlier in events if earlier != "answered"]
            elif is_mine and name in OUTCOMES:
                events.append(name)

        with forwarding_events(self._online.client, use, board=self._board.name, core=self._online.core_id):
            yield seen, events
