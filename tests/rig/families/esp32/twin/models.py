"""Models to test an ESP32's loaders against: a chip that boots or downloads, in memory and on real ports."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rig.families.esp32.formats.loader import LONGEST_PACKET, Op, Reply, Request, block
from rig.families.esp32.twin import rom_loader as rom
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import DEFAULT_MAC, Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.families.esp32.twin.process import Esp32Process
from rig.families.esp32.twin.uart import Uart
from rig.formats import slip
from rig.twin.flash import PowerLost
from rig.twin.network import Routes
from rig.twin.stepper import Stepper
from rig.twin.steps import Idle, Listen, Program, Reset
from tests.rig.control.control_ports import door_in
from tests.rig.loop_thread import LoopThread
from tests.rig.waiting import HANGS

#: Where the two stubs are linked to, by what they are called here.
STUBS = {"stub": 0x400A8000, "legacy": 0x400BE000}
STUB_ADDRESS = STUBS["stub"]


class LoaderBoard:
    """An ESP32 with nothing but its ROM: GPIO0 low at the end of a reset, and it downloads; else it says where it is.

    Whatever a loader leaves for is an event: `flash` for the code in flash, `restart` for a reset by software.
    """

    def __init__(self, *, time_scale: float = 0.0, chip: Chip | None = None):
        self.memory = Esp32Memory()
        self.chip = chip or Chip()
        self.uart = Uart()
        self.time = 0.0
        self.powered = self.in_reset = self.gpio0_low = self.downloads = False
        self.events: list[str] = []
        self._stepper = Stepper(self.memory, time_scale=time_scale, seed=0)

    # -- lines, bytes and time ---------------------------------------------------------------------------------------

    def power_on(self, now: float) -> None:
        self.powered = True
        self.memory.power_on()
        self._begin(now, latch=True)

    def power_off(self, now: float) -> None:
        self.advance(now)
        self._stepper.interrupt(now, tearing=True)
        self._lose_power()

    def hold_reset(self, held: bool, now: float) -> None:
        self.advance(now)
        if held == self.in_reset:
            return
        self.in_reset = held
        if self.powered and held:
            self._stepper.interrupt(now, tearing=False)
            self._stepper.stop(now)
        elif self.powered:
            self._begin(now, latch=True)

    def received(self, data: bytes, now: float) -> None:
        self.advance(now)
        if self.powered and not self.in_reset:
            self.uart.happened(data)
            if isinstance(self._stepper.step, Listen):
                self._stepper.go_on(self.time)
            self.advance(now)

    def due(self) -> float:
        return self._stepper.ends if self.powered else math.inf

    def advance(self, now: float) -> None:
        while self.due() <= now and self.due() < math.inf:
            self.time = max(self.time, self.due())
            try:
                self._stepper.finish()
            except PowerLost:
                self._lose_power()
                return
            if isinstance(self._stepper.step, Reset):
                self.event("restart")
                self._begin(self.time, latch=False)
            else:
                self._stepper.go_on(self.time)
        if now < math.inf:
            self.time = max(self.time, now)

    # -- what programs call ------------------------------------------------------------------------------------------

    def event(self, name: str) -> None:
        self.events.append(name)

    def say(self, line: str) -> None:
        self.uart.send(line.encode() + b"\r\n")

    def _begin(self, now: float, *, latch: bool) -> None:
        if latch:
            self.downloads = self.gpio0_low
            self.chip.reset()
        self.uart.reset()
        if not self.in_reset:
            self._stepper.run(self._start(), now)

    def _start(self) -> Program:
        self.say(self.chip.banner)
        if self.downloads:
            self.say("rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))")
            self.say("waiting for download")
            self.event("download")
            yield from rom.rom_loader(self)
        else:
            self.say("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)")
        self.event("flash")
        yield Idle()

    def _lose_power(self) -> None:
        self.powered = False
        self._stepper.stop(self.time)
        self.event("power-off")


class Host:
    """The other end of a board's serial port, in memory: a frame goes in, and what came out of it comes back."""

    def __init__(self, board: LoaderBoard):
        self.board = board
        self.said = bytearray()
        board.uart.on_output = self.said.extend

    def send(self, data: bytes) -> list[bytes]:
        """Send bytes as they are, let everything happen, and take the frames that came."""
        self.said.clear()
        self.board.received(data, self.board.time)
        while self.board.due() < math.inf:
            self.board.advance(self.board.due())
        return slip.SlipDecoder(LONGEST_PACKET).feed(b"\xc0" + bytes(self.said))

    def replies(self, request: Request) -> list[Reply]:
        """Everything that is answered to a request."""
        return [Reply.parse(raw) for raw in self.send(slip.frame(request.pack())) if raw[:1] == b"\x01"]

    def ask(self, op: int, *words: int) -> Reply:
        """The one answer to a request made of words."""
        return self._only(Request(op, b"".join(word.to_bytes(4, "little") for word in words)))

    def block(self, op: int, payload: bytes, sequence: int = 0, *, damage: int = 0) -> Reply:
        """The one answer to a data packet; `damage` is XOR-ed into its checksum."""
        request = block(op, payload, sequence)
        return self._only(Request(op, request.data, request.checksum ^ damage))

    def _only(self, request: Request) -> Reply:
        (reply,) = self.replies(request)
        return reply


def downloading(*, time_scale: float = 0.0, chip: Chip | None = None) -> Host:
    """A board that waits for a download, and a host that talks to it."""
    board = LoaderBoard(time_scale=time_scale, chip=chip)
    board.gpio0_low = True
    board.power_on(0.0)
    board.gpio0_low = False
    return Host(board)


def with_stub(host: Host, stub: str = "stub") -> Host:
    """The same, with something uploaded that is taken for a stub."""
    address = STUBS[stub]
    host.ask(Op.MEM_BEGIN, 8, 1, 0x1800, address)
    host.block(Op.MEM_DATA, b"codeOHAI")
    frames = host.send(slip.frame(Request(Op.MEM_END, bytes(4) + address.to_bytes(4, "little")).pack()))
    assert frames[-1] == b"OHAI"
    return host


#: The three loaders that there are.
KINDS = ["rom", "stub", "legacy"]


def kind(name: str) -> Host:
    """A loader at work: the ROM's, or a stub."""
    return downloading() if name == "rom" else with_stub(downloading(), name)


def refused(name: str, code: int) -> bytes:
    """The status bytes of a refusal, or of success."""
    return bytes([1 if code else 0, code, 0, 0]) if name == "rom" else bytes([code, 0])


def words(op: int, *words: int) -> bytes:
    """A frame: a request made of words."""
    return slip.frame(Request(op, b"".join(word.to_bytes(4, "little") for word in words)).pack())


# -- on real ports -----------------------------------------------------------------------------------------------------


@dataclass
class ServedBoard:
    """A blank ESP32 behind a USB bridge."""

    process: Esp32Process
    loop: LoopThread
    plain: int
    rfc2217: int

    @property
    def board(self) -> Esp32:
        return self.process.board

    @property
    def plain_url(self) -> str:
        return f"socket://127.0.0.1:{self.plain}"

    @property
    def rfc2217_url(self) -> str:
        return f"rfc2217://127.0.0.1:{self.rfc2217}"

    @property
    def events(self) -> list[str]:
        return [event.name for event in self.board.events]

    def do(self, action: Callable[..., object], *arguments: object) -> None:
        """Do something where the board lives."""
        self.loop.call(action, *arguments)

    def power(self, on: bool) -> None:
        """Give or take the supply, and wait until the bridge shows it."""
        self.do(self.process._power, on)
        self.loop.run(self.process.serial.settled())

    def into_download(self) -> None:
        """Press RST while BOOT is held, as people do."""
        for button, held in (("boot", True), ("reset", True), ("reset", False), ("boot", False)):
            self.do(self.process.press, button, held)


@contextmanager
def served_board(
    *, revision: int = 300, fed_by_board: bool = False, flash: bytes | None = None, **kind: object
) -> Iterator[ServedBoard]:
    """A board on real ports, in a thread of its own; it has power and, without `flash`, finds nothing to start.

    `fed_by_board` says whose supply the USB bridge has, `kind` what else is not as usual.
    """
    with closing(LoopThread()) as loop, TemporaryDirectory() as folder:
        if flash is not None:
            Path(folder, "flash.bin").write_bytes(flash)
        process = Esp32Process(
            state=Path(folder),
            mac=DEFAULT_MAC,
            revision=revision,
            fed_by_board=fed_by_board,
            routes=Routes(),
            address=None,
            **{
                "find": lambda _area: None,
                "bootloaders": lambda _area, _chip: None,
                "time_scale": 0.02,
                "seed": 0,
                **kind,
            },
        )
        start = process.start(host="127.0.0.1", serial_port=0, raw_port=0, control=door_in(Path(folder)), powered=True)
        ready = loop.run(start)
        try:
            yield ServedBoard(process, loop, ready["raw"]["port"], ready["serial"]["port"])
        finally:
            loop.call(process.close)


def esptool(
    url: str,
    *arguments: str | Path,
    before: str = "no-reset",
    after: str = "no-reset",
    stub: bool = True,
    attempts: int = 2,
) -> str:
    """Run stock esptool to its end; what it printed, its exit status in the last line."""
    command = [sys.executable, "-m", "esptool", "--port", url, "--chip", "esp32", "--before", before]
    command += ["--after", after, "--connect-attempts", str(attempts)]
    command += [] if stub else ["--no-stub"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=HANGS, check=False)
    return f"{done.stdout}{done.stderr}\nstatus {done.returncode}"
