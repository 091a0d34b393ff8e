"""The setup of a scenario on a rack: an ESP32 in its place, and the update server that shows it what it is to meet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rig.boards.server_log import ServerLog
from rig.clock import poll, wait_fixed
from rig.errors import DeviceFault, LabFault
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.boards.servers import Servers
from rig.families.esp32.firmware.details import behaviour_of
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.image import DESCRIPTION_OFFSET, DESCRIPTION_SIZE, AppDescription
from rig.families.esp32.formats.otadata import read_records
from rig.firmware.manifest import Image
from rig.trust.scenario import Scenario

#: For how long a download stands still half-way: less than a client's patience of 5 s (esp_http_client's default).
HELD_SECONDS = 3.0
#: How often a cut of a download is tried that came too late, and a download begun that a client gives up.
CUTS, STARTS = 3, 3


class Esp32ScenarioSetup:
    """A board in its known state; `cable` is the image that somebody brings who comes with a cable.

    Use it as a context: afterwards the board meets what everybody meets. Raises Misdescribed where its place cannot
    show it an identity of its own.
    """

    def __init__(self, board: Esp32, roles: Mapping[str, Image], cable: Image):
        self._board, self._updates, self._cable = board, board.updates, cable
        self._servers: Servers = board.servers
        self._roles, self._runs = dict(roles), roles["old"]

    def __enter__(self) -> Esp32ScenarioSetup:
        return self

    def __exit__(self, *_error: object) -> None:
        self._servers.forget()
        self._updates.withdraw()

    # -- what servers show -------------------------------------------------------------------------------------------

    def show(self, scenario: Scenario, *, after: bool) -> dict[str, str]:
        """The same, with the time that the scenario tells; TLS settings come with the swap."""
        servers = scenario.after if after else scenario.before
        if not after:
            self._servers.forget()
        recipes = {host: recipe.model_dump(mode="json") for host, recipe in servers.items()}
        shown = self._servers.show(recipes)
        for host, tls in scenario.tls.items() if after else ():
            self._servers.set_tls(host, tls.model_dump(exclude_none=True))
        now = scenario.now_after if after else scenario.clock
        self._servers.set_clock(None if now is None else now.timestamp())
        return shown

    # -- what the board does -----------------------------------------------------------------------------------------

    def look(self) -> ServerLog:
        """Start the board, which looks for updates then; returns what its servers saw until they saw no more."""
        with self._offered(None), self._servers.watched() as seen:
            self._board.start()
            poll(lambda: self._is_over(seen), seconds=self._longest, clock=self._board.clock)
        return seen

    def fetch(self, meanwhile: Callable[[], None]) -> bool:
        """Let the board fetch the new image, and do `meanwhile` while the server holds the second half back."""
        new = self._roles["new"]
        with self._offered(new), self._held_half_way(new) as seen:
            meanwhile()
            return self._comes_to_run(new, seen)

    def cut_fetch(self) -> None:
        """The same, and take the supply away; where all came before it went, once more.

        Raises LabFault when it came each time.
        """
        new = self._roles["new"]
        for _ in range(CUTS):
            with self._offered(new), self._held_half_way(new):
                self.power_off()
            landed = self._chosen() == self._runs.version
            if not landed:
                self._board.flash(golden_set(self._roles))
            self.power_off()
            if landed:
                return
        raise LabFault("the supply went too late for the download", board=self._board.name, phase="download")

    def power_off(self) -> None:
        """Take the supply away."""
        self._board.power_off()

    def update(self) -> bool:
        """Offer an image that does not run yet. Whether it comes to run."""
        other = self._roles["new"] if self._runs is not self._roles["new"] else self._roles["old"]
        with self._offered(other), self._servers.watched() as seen:
            self._board.start()
            return self._comes_to_run(other, seen)

    def rescue_by_cable(self) -> None:
        """Write the image that was brought, and see it run."""
        self._board.enter_readback_mode()
        self._board.flash(golden_set({**self._roles, "old": self._cable}))
        self._runs = self._cable
        if not self.runs():
            raise DeviceFault("what was written by cable does not run", board=self._board.name)

    def runs(self) -> bool:
        """Whether a start brings the firmware that ran before, and it stays."""
        board = self._board
        with self._offered(None):
            board.start()
            if not board.is_alive(board.timing.start):
                return False
            wait_fixed(board.timing.settles, board.clock)
        if board.log.version() != self._runs.version or board.log.starts() != 1:
            return False
        return self._chosen() == self._runs.version

    # -- how ---------------------------------------------------------------------------------------------------------

    @property
    def _longest(self) -> float:
        """Until a board that was started has come to the end of its look."""
        return self._board.timing.start + self._board.timing.joins + 10.0

    def _is_over(self, seen: ServerLog) -> bool:
        idle = (time.monotonic_ns() - seen.last_ns) / 1e9
        pause = self._board.timing.between_attempts
        return bool(seen.handshakes) and idle > pause and idle > pause * self._board.clock.slowdown()

    def _comes_to_run(self, image: Image, seen: ServerLog) -> bool:
        """Whether servers saw the whole image leave, the board says that it runs, and flash says so, too.

        The board may be the first to say so: what servers saw comes by another way.
        """
        board = self._board

        def came() -> bool:
            return board.log.version() == image.version and len(image) in seen.whole

        if not poll(came, seconds=self._longest, clock=board.clock):
            return False
        self._runs = image
        self._updates.withdraw()  # firmware that compares no versions would fetch it again after each start, for ever
        self._let_it_look()
        return self._says(image) and self._chosen() == image.version

    def _says(self, image: Image) -> bool:
        """Whether the application that runs says so; one that has just restarted says it soon."""
        board = self._board
        said = poll(lambda: board.log.version() == image.version, seconds=board.timing.start, clock=board.clock)
        return bool(said)

    def _chosen(self) -> str | None:
        """Version of the application that the second stage will choose, read back with GPIO0 held; None for none."""
        board, table = self._board, golden_set(self._roles).table
        assert table.otadata is not None, "updates need otadata"
        board.enter_readback_mode()
        where = table.otadata.offset
        records = read_records(board.read_flash([(where, otadata.SIZE)])[where])
        newest = otadata.active(records)
        slot = table.slot(0 if newest is None else records[newest].slot(table.slots))
        assert slot is not None, "slots are numbered without gaps"
        offset = slot.offset + DESCRIPTION_OFFSET
        found = AppDescription.unpack(board.read_flash([(offset, DESCRIPTION_SIZE)])[offset])
        return None if found is None else found.version

    def _let_it_look(self) -> None:
        """Wait until a board that has just started has confirmed itself, and looked for updates if it does."""
        board = self._board
        with self._servers.watched() as seen:
            board.log.wait_for(rb"connected to the network", board.timing.joins)
            quiet = 2 * board.timing.between_attempts
            poll(lambda: self._is_over(seen), seconds=quiet, clock=board.clock)
        wait_fixed(board.timing.settles, board.clock)

    @contextmanager
    def _offered(self, image: Image | None) -> Iterator[None]:
        """Let the board's next start find an image; None: it is told that what it runs is the newest.

        A board that runs loses its power first: it might take what is meant for its next start.
        """
        updates, behaviour = self._updates, behaviour_of(self._runs)
        self.power_off()
        if behaviour is not None and behaviour.fleet_release is not None:
            updates.release(behaviour.product or updates.mac, image or self._runs)
        elif image is not None:
            updates.offer(image.data)
        try:
            yield
        finally:
            updates.withdraw()

    @contextmanager
    def _held_half_way(self, image: Image) -> Iterator[ServerLog]:
        """Start the board; inside, half of what it fetches at a time has come, and the rest waits.

        A download that was given up before is begun anew. Raises LabFault when none comes so far.
        """
        behaviour = behaviour_of(self._runs)
        half = (behaviour.partial if behaviour is not None and behaviour.partial else len(image)) // 2
        for _ in range(STARTS):
            self.power_off()
            self._updates.clear_faults()
            self._updates.fault("stall", at=half, lasts=HELD_SECONDS)
            with self._servers.watched() as seen:
                self._board.start()
                if self._comes_half_way(seen, half):
                    yield seen
                    return
        raise LabFault(f"{STARTS} downloads did not come half-way", board=self._board.name, phase="download")

    def _comes_half_way(self, seen: ServerLog, half: int) -> bool:
        """Whether a board that was started does, before its client gives the download up."""
        board = self._board
        poll(lambda: seen.sent >= half or seen.aborted > 0, seconds=self._longest, clock=board.clock)
        return seen.sent >= half
