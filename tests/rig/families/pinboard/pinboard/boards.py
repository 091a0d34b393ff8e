"""A pinboard in a labgrid place: power, its button, and its port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pinboard import KIND
from pinboard.drivers import Wire
from pinboard.formats import APP, SECTOR, STAGE, sectors
from rig.boards.assertions import BoardAssertions
from rig.boards.board import Contents, MissingServer, verify_off
from rig.boards.switched_board import SwitchedBoard
from rig.boards.timing import MARGIN_SECONDS, number_of
from rig.boards.wiring import Button, Relay, button_of, relay_of, wired
from rig.clock import Clock, poll
from rig.drivers.place import place_tags
from rig.drivers.progress import Progress, Watcher, ignore_progress
from rig.errors import NoAnswer
from rig.firmware.manifest import Image, Manifest

#: What it shows of itself: its application, the reader, a bootloader that has nothing to start.
RUNS, READER, EMPTY = SIGNS = "app", "reader", "empty"
#: How long a powered board is silent at most, how long one listens for an answer, and how long a start takes.
SILENCE_SECONDS, LISTEN_SECONDS, START_SECONDS = 0.3, 0.05, 0.5


class Pinboard(SwitchedBoard):
    """One pinboard, and what one does with it. Nothing here knows which tier it is on."""

    kind: ClassVar[str] = KIND
    console: ClassVar[None] = None
    is_seen_as_twin: ClassVar[bool] = False
    sign_source: ClassVar[str] = "its port"
    alive: ClassVar[tuple[str, ...]] = (RUNS,)

    def __init__(
        self,
        name: str,
        *,
        relay: Relay,
        wire: Wire,
        button: Button | None,
        tags: dict[str, str],
        clock: Clock | None = None,
    ):
        super().__init__(name, relay=relay, buttons=[button], reset=None, tags=tags, clock=clock)
        self.wire, self._button = wire, button
        self.must = BoardAssertions(self)
        #: How slow it is, and how long one waits until it has started or copied a sector.
        self.scale = number_of(tags, "timing_scale", "1") or 1.0
        self.start_seconds = START_SECONDS * self.scale + MARGIN_SECONDS

    @classmethod
    def from_target(cls, target: Any) -> Pinboard:
        """The board behind a labgrid target with a relay, its port and, where it is wired, its button."""
        tags, name = place_tags(target)
        wire = target.get_driver("PinboardDriver").wire(name)
        return cls(name, relay=relay_of(target), wire=wire, button=button_of(target, tags, "button"), tags=tags)

    # -- what it has not ---------------------------------------------------------------------------------------------

    def compare_with_manifest(self, _known: Manifest, _say: Callable[[str], object]) -> None:
        """Nothing: its place says nothing that only a manifest tells."""

    def missing_server(self) -> MissingServer | None:
        """It is in no network."""
        return None

    def clear_servers(self) -> None:
        """There are none."""

    # -- power and signs of life -------------------------------------------------------------------------------------

    def part(self) -> None:
        """Its port is a terminal server's, and stays."""

    def verify_off(self) -> None:
        """See by the relay and by its port, which know nothing of each other, that the board is without power."""
        self.wire.forget()
        verify_off(
            self,
            lambda: not self._says_something(),
            seconds=MARGIN_SECONDS,
            reason="its port to fall silent: another feed, or the wrong relay channel?",
        )

    def power_on(self) -> None:
        """Give the supply back; what was said before does not count. Whether the board starts is for the caller."""
        self.wire.forget()
        self.history.add_sign("port", None)
        super().power_on()

    def version(self) -> str:
        """What its application says that it is. Raises LabFault where none answers."""
        return self.wire.ask("hello", RUNS)

    def sign(self) -> str | None:
        """What it answers when it is asked who it is; what it says while it is busy is no sign."""
        self.wire.send("hello")
        said = (line.partition(" ")[0] for line in self.wire.lines(LISTEN_SECONDS))
        sign = next((word for word in said if word in SIGNS), None)
        self.history.add_sign("port", sign)
        return sign

    def _says_something(self) -> bool:
        self.wire.send("hello")
        return self.wire.line(SILENCE_SECONDS) is not None

    @property
    def has_button(self) -> bool:
        """Whether its button can be held here: then flash can be read and written."""
        return self._button is not None

    # -- its flash ---------------------------------------------------------------------------------------------------

    def enter_readback_mode(self) -> None:
        """Power-cycle with the button held: nothing in flash runs. Raises LabFault, Misuse."""
        button = wired(self._button, "its button", "button", board=self.name)
        self.history.add_action("held its button from power-on")
        self.power_off()
        with self.buttons.held(button):
            self.power_on()
            shown = poll(lambda: self.sign() == READER, seconds=self.start_seconds, clock=self.clock)
        if not shown:
            raise NoAnswer("no reader answers with the button held", board=self.name)
        self.wire.forget()

    def read_flash(self, stretches: Sequence[tuple[int, int]]) -> Contents:
        """Address and length of each stretch: what is there. The board must be in its reader."""
        return {address: self._read(address, length) for address, length in stretches}

    def _read(self, address: int, length: int) -> bytes:
        found = b""
        for at in range(address, address + length, SECTOR):
            wanted = min(SECTOR, address + length - at)
            found += bytes.fromhex(self.wire.ask(f"read {at:x} {wanted:x}", f"read {at:x}"))
        return found

    def write_flash(self, address: int, data: bytes) -> None:
        """Write sectors from an address on, in the reader; what is blank is only erased."""
        for offset in range(0, len(data), SECTOR):
            sector = data[offset : offset + SECTOR].rstrip(b"\xff")
            self.wire.ask(f"write {address + offset:x} {sector.hex()}", f"written {address + offset:x}")

    # -- the update path ---------------------------------------------------------------------------------------------

    def update(self, image: Image, watch: Watcher = ignore_progress) -> None:
        """Download an image to the application that runs, and let it be copied; tells `watch` of each sector.

        Returns when the last sector is being copied. Raises LabFault, DeviceFault.
        """
        self.known = False
        self.history.add_action(f"sent {image.name}")
        self.wire.forget()
        for offset in range(0, len(image), SECTOR):
            watch(Progress("download", STAGE + offset, min(offset + SECTOR, len(image)), len(image)))
            data = image.data[offset : offset + SECTOR]
            self.wire.ask(f"data {offset:x} {data.hex()}", f"stored {offset:x}")
        self.wire.ask(f"commit {len(image):x}", "committing")
        watch(Progress("commit", 0, 1, 1))
        for number in range(sectors(len(image))):
            told = self.wire.expect(f"copy {number + 1}/", self.start_seconds)
            watch(Progress("copy", APP + number * SECTOR, number + 1, int(told)))
