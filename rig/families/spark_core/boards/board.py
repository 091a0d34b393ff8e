"""A Spark Core in a labgrid place: power, MODE, USB, and the DFU path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from rig.boards.assertions import BoardAssertions
from rig.boards.board import Board, Contents, MissingServer, verify_off
from rig.boards.switched_board import SwitchedBoard
from rig.boards.wiring import Button, Relay, button_of, relay_of, wired
from rig.clock import Clock, poll
from rig.drivers.console import ConsoleRecorder
from rig.drivers.dfu_host import DfuHost, EraseOrder
from rig.drivers.place import driver_of, place_tags
from rig.drivers.progress import Watcher, ignore_progress
from rig.errors import DeviceFault, LabFault, Misdescribed, Misuse
from rig.families.spark_core.boards.identity import CoreIdentity
from rig.families.spark_core.boards.mode_button import ModeButton
from rig.families.spark_core.boards.online import Online
from rig.families.spark_core.boards.provisioning import give_network
from rig.families.spark_core.boards.timing import Timing
from rig.families.spark_core.boards.usb_port import UsbPort
from rig.families.spark_core.boards.writable import refuse
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.families.spark_core.drivers.usb_port import DFU, LISTENING, NAMED
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.firmware.manifest import BoardKind, Image, Manifest

#: What a board shows that is in its cloud, and what shows that an application runs.
ONLINE = "online"
ALIVE = (LISTENING, ONLINE)
#: Where the password of the lab's network is, for Cores that lost it.
PASSWORD_VARIABLE = "RIG_WIFI_PASSWORD"

NO_CLOUD = "export the control port of `rig cloud spark` as a NetworkService, and bind a SparkCloudDriver to it"


class SparkCore(SwitchedBoard):
    """One Core, and what one does with it. Nothing here knows which tier it is on."""

    kind: ClassVar[BoardKind] = "spark-core"
    alive: ClassVar[tuple[str, ...]] = ALIVE

    def __init__(
        self,
        name: str,
        *,
        relay: Relay,
        mode: Button | None,
        usb: UsbPort,
        reset: Button | None = None,
        cloud: SparkCloudClient | None = None,
        console: ConsoleRecorder | None = None,
        tags: dict[str, str] | None = None,
        clock: Clock | None = None,
    ):
        super().__init__(name, relay=relay, buttons=[mode], reset=reset, tags=tags, clock=clock)
        self.timing = Timing.from_tags(self.tags)
        self._mode = ModeButton(self, mode)
        self._usb = usb
        self.console = console
        self._identity = CoreIdentity(self.tags, name)
        self.must = BoardAssertions(self)
        #: The Core in its cloud, where the place has one and a network that leads there.
        self.online: Online | None = None
        if cloud is not None and self.tags.get("wifi") == "joined" and "core_id" in self.tags:
            self.online = Online(
                cloud, self.tags["core_id"], board=name, clock=self.clock, add_action=self.history.add_action
            )

    @classmethod
    def from_target(cls, target: Any) -> SparkCore:
        """The Core behind a labgrid target with a relay, a USB port and, where they are wired, its two buttons."""
        tags, name = place_tags(target)
        cloud = driver_of(target, "SparkCloudDriver")
        console = driver_of(target, "RecordedConsoleDriver")
        return cls(
            name,
            relay=relay_of(target),
            mode=button_of(target, tags, "mode"),
            usb=driver_of(target, "UsbipPortDriver") or target.get_driver("LibusbPortDriver"),
            reset=button_of(target, tags, "reset"),
            cloud=cloud.client() if cloud is not None else None,
            console=console.recorder if console is not None else None,
            tags=tags,
        )

    @property
    def is_seen_as_twin(self) -> bool:
        """Whether the server of its USB has said that it is a twin."""
        return self._usb.serves_twin

    def compare_with_manifest(self, known: Manifest, say: Callable[[str], object]) -> None:
        """From now on compare its bootloader with the place's tag, by what a manifest lists."""
        self._identity.compare_bootloader(known, say)

    # -- power and signs of life -------------------------------------------------------------------------------------

    def identity(self) -> str | None:
        """What the board shows on USB now: `1d50:607f` DFU, `1d50:607d` listening, None nothing."""
        seen = self._usb.identity()
        self.history.add_sign("usb", NAMED.get(seen or "", seen))
        return seen

    def other_dfu_devices(self) -> dict[str, Misdescribed]:
        """Cores in DFU under other bus ids, each with what is wrong with the place if it is this one."""
        return self._usb.other_dfu_devices()

    @property
    def sign_source(self) -> str:
        """Where its signs are seen, in words."""
        return "USB" if self.online is None else "USB or in its cloud"

    def part(self) -> None:
        """It is no longer in its cloud, whatever that has not noticed yet."""
        if self.online is not None:
            self.online.forget()

    def verify_off(self) -> None:
        """See by the relay and by USB, which know nothing of each other, that the board is without power."""
        verify_off(
            self,
            lambda: self.identity() is None,
            seconds=self.timing.off,
            reason="USB to vanish: the board is still powered, another feed or the wrong relay channel?",
        )

    def sign(self) -> str | None:
        """What the board shows on USB, `1d50:607f` or `1d50:607d`, or `online` when it is in its cloud; None."""
        seen = self.identity()
        if seen is None and self.online is not None:
            seen = ONLINE if self.online.is_back() else None
            self.history.add_sign("cloud", seen)
        return seen

    def go_online(self, given_up: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """Wait until a Core that was just started is online, giving it a network where it has none.

        Raises DeviceFault, Misuse where there is no cloud, and LabFault when somebody has given up waiting.
        """
        if self.online is None:
            raise Misuse("has no cloud here", board=self.name, hint="ask for a place with the tag wifi=joined")
        sign = poll(lambda: given_up() or self.sign(), seconds=self.timing.start, clock=self.clock)
        if sign == LISTENING and self.console is not None:
            ssid, password = self.tags.get("ssid", "rig"), os.environ.get(PASSWORD_VARIABLE, "")
            give_network(self.console, ssid, password, board=self.name, seconds=self.timing.start)
        return self.online.wait(self.timing.start, given_up)

    def missing_server(self) -> MissingServer | None:
        """A cloud, where its place has none."""
        return None if self.online is not None else MissingServer("cloud", NO_CLOUD)

    def clear_servers(self) -> None:
        """Its cloud does nothing special for it: faults are forgotten, its key is its own again."""
        if self.online is not None:
            self.online.clear()

    # -- buttons -----------------------------------------------------------------------------------------------------

    @property
    def has_mode(self) -> bool:
        """Whether MODE can be pressed here."""
        return self._mode.is_wired

    def press_reset(self) -> None:
        """Press RST and let go: backup registers survive it. Raises Misuse where it is not wired."""
        reset = wired(self._reset, "RST", "reset", board=self.name)
        self.history.add_action("pressed RST")
        self.known = False
        with self.buttons.held(reset):
            self.clock.sleep(self.timing.reset_pulse)

    def make_listen(self) -> None:
        """Hold MODE while the application runs, until it is seen to listen for credentials. Raises DeviceFault, Misuse.

        Letting go says nothing of when the board took notice; one that a handshake blocks listens later.
        """
        self._mode.make_listen()

    def factory_reset(self, watch: Watcher = ignore_progress) -> None:
        """Power-cycle with MODE held for a factory reset; whether it ends well is for the caller to see.

        Tells `watch` of the power-on. Raises LabFault, and Misuse where MODE is not wired.
        """
        self._mode.reset_to_factory(watch)

    # -- DFU ---------------------------------------------------------------------------------------------------------

    def enter_dfu(self) -> None:
        """Power-cycle into DFU with MODE held: the reader that changes nothing.

        Raises RigInterference where MODE was held for so long that it may have been a factory reset, DeviceFault,
        LabFault, and Misuse where MODE is not wired.
        """
        self._mode.enter_dfu()

    @contextmanager
    def dfu(self, watch: Watcher = ignore_progress) -> Iterator[DfuHost]:
        """Talk DFU to a board that is in it; faults carry the board's name.

        Raises Misdescribed before anything is done to another Core than the place's.
        """
        self.known = False
        try:
            with DfuHost(self._usb.device(), sleep=self.clock.sleep, watch=watch) as host:
                self._identity.check(host)
                yield host
        except (LabFault, DeviceFault) as error:
            error.board = error.board or self.name
            raise

    def enter_readback_mode(self) -> None:
        """DFU: it changes nothing that nobody asks for."""
        self.enter_dfu()

    def read_flash(self, stretches: Sequence[tuple[int, int]]) -> Contents:
        """Address and length of each stretch: what is there. The board must be in DFU."""
        with self.dfu() as host:
            return {address: host.read(address, length) for address, length in stretches}

    def read_application(self, length: int) -> bytes:
        """The beginning of the application area, by the reader that changes nothing."""
        self.enter_dfu()
        with self.dfu() as host:
            return host.read(layout.APP_ADDRESS, length)

    def write_ota_image(self, image: Image) -> None:
        """Put `image` into the slot for updates over the air and mark it as ready, as an application does at its end.

        The board must be in DFU; the next start copies the image in.
        """
        self.history.add_action(f"laid {image.name} for the next start")
        with self.dfu() as host:
            if host.read(layout.OTA_ADDRESS, len(image)) != image.data:
                host.write(layout.OTA_ADDRESS, image.data)
            flags = SystemFlags.unpack(host.read(layout.FLAGS_ADDRESS, SystemFlags.LONGEST))
            flags.ota = layout.OTA_READY
            host.write(layout.FLAGS_ADDRESS, flags.pack())

    def update(
        self,
        image: Image,
        *,
        order: EraseOrder = EraseOrder.ALL_FIRST,
        address: int = layout.APP_ADDRESS,
        watch: Watcher = ignore_progress,
        force: bool = False,
    ) -> None:
        """Write `image` over DFU, read it back, and leave. The board must be in DFU.

        A board that is gone before it answers has left when it is not in DFU any more and its relay feeds it.
        Refuses, unless forced, what could not run or must not be overwritten: Misuse. Raises DeviceFault when flash
        holds something else afterwards, or the board stays in DFU, and LabFault.
        """
        with self.dfu(watch) as host:
            if not force:
                refuse(image, address, host)
            host.write(address, image.data, order)
            if host.read(address, len(image)) != image.data:
                raise DeviceFault(
                    f"{image.name} was written, but reads back different", board=self.name, phase="program"
                )
            self.history.add_action(f"wrote {image.name}")
            answered = host.leave(address)
        if not poll(lambda: self.identity() != DFU, seconds=self.timing.off, clock=self.clock):
            raise DeviceFault("does not leave DFU when told to", board=self.name, phase="commit", expected="no DFU")
        if not answered and not self.relay.get():
            raise LabFault("lost its supply before it had answered that it leaves", board=self.name, phase="commit")


def require_core(board: Board) -> SparkCore:
    """The board, which must be a Spark Core. Raises Misuse."""
    if not isinstance(board, SparkCore):
        raise Misuse(f"is an {board.kind}, and this is for Spark Cores", board=board.name)
    return board
