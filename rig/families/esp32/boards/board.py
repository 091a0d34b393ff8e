"""An ESP32 in a labgrid place: power, GPIO0 and EN, the console, and the serial path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from rig.boards.board import Contents, MissingServer, verify_off
from rig.boards.switched_board import SwitchedBoard
from rig.boards.timing import MARGIN_SECONDS
from rig.boards.wiring import Button, Relay, button_of, relay_of, wired
from rig.clock import Clock, poll, wait_for
from rig.drivers.console import ConsoleRecorder
from rig.drivers.place import driver_of, place_tags
from rig.drivers.progress import Watcher, ignore_progress
from rig.errors import DeviceFault, Misdescribed, NoAnswer, RigError, Unreachable
from rig.families.esp32.boards.assertions import ConsoleAssertions
from rig.families.esp32.boards.boot_log import ALIVE, DOWNLOAD, BootLog
from rig.families.esp32.boards.golden import GoldenSet, write_set
from rig.families.esp32.boards.identity import ChipIdentity
from rig.families.esp32.boards.servers import Servers, servers_of
from rig.families.esp32.boards.timing import Esp32Timing
from rig.families.esp32.boards.updates import Updates
from rig.families.esp32.drivers.loader import NO_ANSWER, RomLoader, SerialAddress
from rig.firmware.manifest import BoardKind, Manifest

if TYPE_CHECKING:
    from rig.drivers.https_cloud import HttpsCloudClient


T = TypeVar("T")
#: How long a serial port may take to answer that it is there.
ANSWER_SECONDS = 3.0
NO_UPDATES = "export the control port of `rig cloud https` as a NetworkService, and bind a HttpsCloudDriver to it"


class Esp32(SwitchedBoard):
    """One ESP32, and what one does with it. Nothing here knows which tier it is on."""

    kind: ClassVar[BoardKind] = "esp32"
    alive: ClassVar[tuple[str, ...]] = ALIVE

    def __init__(
        self,
        name: str,
        *,
        relay: Relay,
        serial: SerialAddress,
        console: ConsoleRecorder,
        boot: Button | None = None,
        reset: Button | None = None,
        cloud: HttpsCloudClient | None = None,
        tags: dict[str, str] | None = None,
        clock: Clock | None = None,
    ):
        """`boot` holds GPIO0 low, `reset` EN."""
        super().__init__(name, relay=relay, buttons=[boot], reset=reset, tags=tags, clock=clock)
        self.console = console
        self.timing = Esp32Timing.from_tags(self.tags)
        self._serial, self._boot = serial, boot
        self.log = BootLog(console)
        self.must = ConsoleAssertions(self)
        self._session = ExitStack()
        self._rom: RomLoader | None = None
        self._cloud = cloud
        self._identity = ChipIdentity(self.tags, name)

    @classmethod
    def from_target(cls, target: Any) -> Esp32:
        """The board behind a labgrid target with a relay, a serial port and, where they are wired, its two buttons."""
        tags, name = place_tags(target)
        cloud = driver_of(target, "HttpsCloudDriver")
        return cls(
            name,
            relay=relay_of(target),
            serial=target.get_driver("RomLoaderDriver").address(),
            console=target.get_driver("RecordedConsoleDriver").recorder,
            boot=button_of(target, tags, "boot"),
            reset=button_of(target, tags, "reset"),
            cloud=cloud.client() if cloud is not None else None,
            tags=tags,
        )

    @property
    def has_updates(self) -> bool:
        """Whether its place has an update server, and tells by which address that knows the board."""
        return self._cloud is not None and "mac" in self.tags

    def missing_server(self) -> MissingServer | None:
        """An update server, where its place has none."""
        return None if self.has_updates else MissingServer("update server", NO_UPDATES)

    def clear_servers(self) -> None:
        """Nothing is left of what was done for this board: offers, faults, identities, the time."""
        if self.has_updates:
            self.updates.clear()

    @property
    def updates(self) -> Updates:
        """What its update server knows of it. Raises Misdescribed where its place has none."""
        if self._cloud is None or "mac" not in self.tags:
            lacks = "update server" if self._cloud is None else "tag mac"
            raise Misdescribed(f"its place has no {lacks}", board=self.name, hint=NO_UPDATES)
        address = self.tags.get("address")
        return Updates(
            self._cloud, self.tags["mac"], board=self.name, address=address, add_action=self.history.add_action
        )

    @property
    def servers(self) -> Servers:
        """Its servers, as it alone meets them. Raises Misdescribed where they cannot show it something of its own."""
        return servers_of(self._cloud, self.tags, self.name)

    @property
    def is_seen_as_twin(self) -> bool:
        """Whether the server of its serial port has said that it is a twin."""
        return self.console.serves_twin

    def compare_with_manifest(self, _known: Manifest, _say: Callable[[str], object]) -> None:
        """Nothing: a chip tells what it is whatever a manifest lists."""

    # -- power and signs of life -------------------------------------------------------------------------------------

    def part(self) -> None:
        """End the conversation with the loader."""
        self.hang_up()

    def power_off(self) -> None:
        """Take the supply away, and see that the board is silent; what it said before does not count any more."""
        super().power_off()
        self.log.begin()

    def verify_off(self) -> None:
        """See by the relay and by the console, which know nothing of each other, that the board is without power."""
        verify_off(
            self,
            lambda: not self._speaks_within(self.timing.silence),
            seconds=self.timing.off,
            reason="its console to fall silent: another feed, or the wrong relay channel?",
        )

    def power_on(self) -> None:
        """Give the supply back, with the console listening. Whether the board starts is for the caller to see."""
        if not self.bridge_vanishes and not poll(
            lambda: self.console.connected, seconds=MARGIN_SECONDS, clock=self.clock
        ):
            raise Unreachable("nobody serves its serial port", board=self.name, hint="is its exporter alive?")
        self.log.begin()
        self.history.add_sign("console", None)
        super().power_on()

    def hung_since(self, since_ns: int) -> bool:
        """Whether its serial port was seen to hang after a moment (monotonic)."""
        return self.console.hung_since(since_ns)

    @property
    def has_boot(self) -> bool:
        """Whether GPIO0 can be held low here: then flash is read before anything else happens."""
        return self._boot is not None

    def press_reset(self) -> None:
        """Pull EN low and let go: to the chip it is a power-on. Raises Misuse where it is not wired."""
        reset = wired(self._reset, "EN", "reset", board=self.name)
        self.history.add_action("pulled EN low")
        self.known = False
        self.hang_up()
        with self.buttons.held(reset):
            self.clock.sleep(self.timing.reset_pulse)
            self.log.begin()

    @property
    def sign_source(self) -> str:
        """Where its signs are seen, in words."""
        return "its console"

    def sign(self) -> str | None:
        """What the console tells of the last start; None for silence."""
        sign = self.log.sign()
        self.history.add_sign("console", sign)
        return sign

    def _speaks_within(self, seconds: float) -> bool:
        more = self.console.wait_for_more(self.console.size, seconds)
        if not more:
            self._check_port()
        return bool(more)

    def _look(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """What is heard on the console within `seconds`. Raises Unreachable for a serial port that hangs."""
        heard = super()._look(look, seconds)
        if not heard:
            self._check_port()
        return heard

    def _check_port(self) -> None:
        """Silence says something of a board only where its serial port answers. Raises Unreachable."""
        if not self.bridge_vanishes and not self.console.answers(ANSWER_SECONDS):
            raise Unreachable("its serial port does not answer", board=self.name, hint="is its exporter alive?")

    # -- the serial path ---------------------------------------------------------------------------------------------

    def enter_readback_mode(self) -> None:
        """Power-cycle into download mode with GPIO0 held: nothing in flash runs.

        Raises LabFault, DeviceFault, Misuse.
        """
        boot = wired(self._boot, "GPIO0", "boot", board=self.name)
        self.history.add_action("held GPIO0 from power-on for download mode")
        self.power_off()
        with self.buttons.held(boot):
            self.power_on()
            if self.bridge_vanishes:  # it comes back too late for the ROM's words: the loader's answer must do
                self._see_loader()
                return
            seen = self.observe(self.timing.banner)
        if seen is None and not self.log.starts():
            raise NoAnswer(
                "nothing was said after power came back with GPIO0 held: a dead board, or a supply that never went",
                board=self.name,
                phase=NO_ANSWER,
                hint="does this relay channel switch this board?",
            )
        if seen != DOWNLOAD:
            text = f"GPIO0 held from power-on ends in {seen or 'silence'}, not in download"
            raise DeviceFault(text, board=self.name, expected="download mode")

    @property
    def bridge_vanishes(self) -> bool:
        """Whether the serial port loses its supply with the board."""
        return self.tags.get("bridge") == "board"

    def _see_loader(self) -> None:
        """Wait for the serial port, and for the loader behind it. Raises LabFault."""
        wait_for(
            lambda: self.console.connected,
            seconds=self.timing.banner,
            reason="its serial port to come back",
            clock=self.clock,
            board=self.name,
        )
        with self.loader():
            pass

    @contextmanager
    def loader(self, watch: Watcher = ignore_progress, *, resets: bool = False) -> Iterator[RomLoader]:
        """Talk to the loader of a board in download mode; with `resets` DTR and RTS bring it there.

        The conversation goes on until the board's next start, and the console is lent to it meanwhile. Faults carry the
        board's name, and end it. Raises Misdescribed before anything is done to another chip than the place's.
        """
        self.known = False
        try:
            if self._rom is None:
                self._session.enter_context(self.console.released())
                self._rom = self._session.enter_context(RomLoader(self._serial, resets=resets))
                self._identity.check(self._rom)
            self._rom.watch = watch
            yield self._rom
        except BaseException as error:
            self.hang_up()
            if isinstance(error, RigError):
                error.board = error.board or self.name
                if isinstance(error, NoAnswer):
                    self._check_port()
            raise

    def hang_up(self) -> None:
        """End the conversation with the loader, and listen to the console again."""
        self._rom = None
        self._session.close()

    def read_flash(self, stretches: Sequence[tuple[int, int]]) -> Contents:
        """Address and length of each stretch: what is there. The board must be in download mode."""
        with self.loader() as rom:
            return {address: rom.read(address, length) for address, length in stretches}

    def flash(self, golden: GoldenSet, watch: Watcher = ignore_progress) -> None:
        """Write a whole set, each part read back by its digest. It must be in download mode. Raises Misuse."""
        self.history.add_action("wrote its whole flash")
        with self.loader(watch) as rom:
            golden.refuse_less_flash(rom.reported_flash_size, board=self.name)
            write_set(rom, golden)
