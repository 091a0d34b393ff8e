"""An ESP32 in a labgrid place: power, GPIO0 and EN, the console, and the serial path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from rig.boards.board import Contents, power_cycle, verify_off
from rig.boards.boot_log import ALIVE, DOWNLOAD, BootLog
from rig.boards.esp32_timing import Esp32Timing
from rig.boards.golden import GoldenSet
from rig.boards.servers import Servers, servers_of
from rig.boards.timing import MARGIN_SECONDS
from rig.boards.updates import Updates
from rig.boards.wiring import Button, Relay, button_of, held, wired
from rig.clock import Clock, look_for, wait_for
from rig.drivers.console import ConsoleRecorder
from rig.drivers.dfu_host import Watcher, nobody
from rig.drivers.place import driver_of, place_tags
from rig.drivers.relay import RelayDriver
from rig.drivers.rom_loader import NO_ANSWER, RomLoader, SerialAddress
from rig.errors import DeviceFault, LabFault, RigError
from rig.firmware.manifest import BoardKind
from rig.formats.otadata import SECTOR

if TYPE_CHECKING:
    from rig.drivers.https_cloud import HttpsCloudClient


class Esp32:
    """One ESP32, and what one does with it. Nothing here knows which tier it is on."""

    kind: ClassVar[BoardKind] = "esp32"

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
        self.name = name
        self.relay = relay
        self.console = console
        self.tags = tags or {}
        self.timing = Esp32Timing.from_tags(self.tags)
        self.clock = clock or Clock()
        self.known = False
        self.cast: dict[str, str] = {}
        self._serial, self._boot, self._reset = serial, boot, reset
        self.log = BootLog(console)
        self._session = ExitStack()
        self._rom: RomLoader | None = None
        self._cloud = cloud
        #: What the update server knows of it, where the place has one.
        self.updates: Updates | None = None
        if cloud is not None and "mac" in self.tags:
            self.updates = Updates(cloud, self.tags["mac"], board=name, address=self.tags.get("address"))

    @classmethod
    def from_target(cls, target: Any) -> Esp32:
        """The board behind a labgrid target with a relay, a serial port and, where they are wired, its two buttons."""
        tags, name = place_tags(target)
        cloud = driver_of(target, "HttpsCloudDriver")
        return cls(
            name,
            relay=target.get_driver(RelayDriver),
            serial=target.get_driver("RomLoaderDriver").address(),
            console=target.get_driver("RecordedConsoleDriver").recorder,
            boot=button_of(target, tags, "boot"),
            reset=button_of(target, tags, "reset"),
            cloud=cloud.client() if cloud is not None else None,
            tags=tags,
        )

    @property
    def servers(self) -> Servers:
        """Its servers, as it alone meets them. Raises Misuse where its place cannot show it something of its own."""
        return servers_of(self._cloud, self.tags, self.name)

    # -- power and signs of life -------------------------------------------------------------------------------------

    def power_off(self) -> None:
        """Take the supply away, and see that the board is silent. Raises LabFault when it is not."""
        self.known = False
        self.hang_up()
        self.relay.off()
        self.verify_off()

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
        if not self.bridge_vanishes:
            wait_for(
                lambda: self.console.connected,
                seconds=MARGIN_SECONDS,
                reason="its console: is the serial port served?",
                clock=self.clock,
                board=self.name,
            )
        self.log.begin()
        self.relay.on()

    def start(self, watch: Watcher = nobody) -> None:
        """Power-cycle; tells `watch` of the power-on."""
        power_cycle(self, watch)

    @property
    def has_reset(self) -> bool:
        """Whether EN can be pulled low here."""
        return self._reset is not None

    @property
    def has_boot(self) -> bool:
        """Whether GPIO0 can be held low here: then flash is read before anything else happens."""
        return self._boot is not None

    def press_reset(self) -> None:
        """Pull EN low and let go: to the chip it is a power-on. Raises Misuse where it is not wired."""
        reset = wired(self._reset, "EN", "reset", board=self.name)
        self.known = False
        self.hang_up()
        with held(reset):
            self.clock.sleep(self.timing.reset_pulse)
            self.log.begin()

    def observe(self, seconds: float) -> str | None:
        """The first sign within `seconds`; None for silence."""
        return look_for(self.log.sign, seconds=seconds, clock=self.clock)

    def is_alive(self, seconds: float) -> bool:
        """Whether an application shows itself within `seconds`."""
        return bool(look_for(lambda: self.log.sign() in ALIVE, seconds=seconds, clock=self.clock))

    def _speaks_within(self, seconds: float) -> bool:
        return bool(self.console.wait_for_more(self.console.size, seconds))

    # -- the serial path ---------------------------------------------------------------------------------------------

    def enter_reader(self) -> None:
        """Power-cycle into download mode with GPIO0 held: nothing in flash runs.

        Raises LabFault, DeviceFault, Misuse.
        """
        boot = wired(self._boot, "GPIO0", "boot", board=self.name)
        self.power_off()
        with held(boot):
            self.power_on()
            if self.bridge_vanishes:  # it comes back too late for the ROM's words: the loader's answer must do
                self._see_loader()
                return
            seen = look_for(self.log.sign, seconds=self.timing.banner, clock=self.clock)
        if seen is None and not self.log.starts():
            raise LabFault(
                "nothing was said after power came back with GPIO0 held: a dead board, or a supply that never went",
                board=self.name,
                phase=NO_ANSWER,
                hint="does this relay channel switch this board?",
            )
        if seen != DOWNLOAD:
            raise DeviceFault(f"GPIO0 held from power-on ends in {seen or 'silence'}, not in download", board=self.name)

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
    def loader(self, watch: Watcher = nobody, *, resets: bool = False) -> Iterator[RomLoader]:
        """Talk to the loader of a board in download mode; with `resets` DTR and RTS bring it there.

        The conversation goes on until the board's next start, and the console is lent to it meanwhile. Faults carry the
        board's name, and end it.
        """
        self.known = False
        try:
            if self._rom is None:
                self._session.enter_context(self.console.lent())
                self._rom = self._session.enter_context(RomLoader(self._serial, resets=resets))
            self._rom.watch = watch
            yield self._rom
        except BaseException as error:
            self.hang_up()
            if isinstance(error, RigError):
                error.board = error.board or self.name
            raise

    def hang_up(self) -> None:
        """End the conversation with the loader, and listen to the console again."""
        self._rom = None
        self._session.close()

    def read_flash(self, stretches: Sequence[tuple[int, int]]) -> Contents:
        """Address and length of each stretch: what is there. The board must be in download mode."""
        with self.loader() as rom:
            return {address: rom.read(address, length) for address, length in stretches}

    def flash(self, golden: GoldenSet, watch: Watcher = nobody) -> None:
        """Write a whole set, each part read back by its digest. The board must be in download mode."""
        with self.loader(watch) as rom:
            for address in golden.empty_slots():
                rom.erase(address, SECTOR)
            for address, length in golden.settings():
                rom.erase(address, length)
            for address, data in golden.parts():
                rom.write(address, data)

    def until_cut(self, work: Callable[[RomLoader], None], watch: Watcher) -> None:
        """Do something with the loader that a cut may end. Raises LabFault when the supply is gone."""
        failed: list[Exception] = []
        with self.loader(watch) as rom:

            def run() -> None:
                try:
                    work(rom)
                except Exception as error:  # whatever it is, whoever waits below is to know
                    failed.append(error)

            thread = threading.Thread(target=run, name="serial path", daemon=True)
            thread.start()
            while thread.is_alive() and self.relay.get():
                thread.join(0.05)
            if thread.is_alive():
                rom.close()
                thread.join(1.0)
                raise LabFault("the supply is gone", board=self.name)
        if failed:
            raise failed[0]
