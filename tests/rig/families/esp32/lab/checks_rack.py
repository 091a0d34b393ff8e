"""Named checks of test_mutants about an ESP32 on a rack: bridge, power, console, serial path and the rescue ladder."""

from __future__ import annotations

import contextlib
import socket
import time
from hashlib import md5
from types import SimpleNamespace

from rig.drivers.console import ConsoleRecorder, Entry
from rig.errors import DeviceFault, LabFault, NoAnswer, RigError
from rig.families.esp32.boards.board import Esp32 as DrivenEsp32
from rig.families.esp32.boards.golden import GoldenSet
from rig.families.esp32.drivers.loader import RomLoader, SerialAddress
from rig.families.esp32.formats.loader import SYNC_DATA, Op, Request
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.families.esp32.recovery.rescue import forget_settings
from rig.families.esp32.twin import efuses
from rig.families.esp32.twin.board import Esp32
from rig.families.esp32.twin.chip import Chip
from rig.families.esp32.twin.memory import Esp32Memory
from rig.firmware.manifest import Image
from rig.recovery.ladder import Outcome, RescueLadder
from tests.rig.families.esp32.twin.app.app_board import NEW, OLD, built
from tests.rig.families.esp32.twin.models import Host, ServedBoard, served_board, with_stub
from tests.rig.families.spark_core.campaign.checks_bench import raises
from tests.rig.stand_ins import Ticking
from tests.rig.waiting import until

TABLE = LAYOUTS["two_ota_large"]

# -- power -------------------------------------------------------------------------------------------------------------


def a_bridge_is_gone_with_its_boards_power(_folder):
    with served_board(fed_by_board=True) as served:
        assert is_reachable(served.plain)
        served.power(False)
        assert not is_reachable(served.plain)


def is_reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def blank_board() -> Esp32:
    return Esp32(
        Esp32Memory(), Chip(), find=lambda _area: None, bootloaders=lambda _area, _chip: None, time_scale=0.0
    )  # fmt: skip


def started_anew(board: Esp32) -> Host:
    """Power off and on, into download mode."""
    board.power_off(board.time)
    board.gpio0_low = True
    board.power_on(board.time)
    board.gpio0_low = False
    return Host(board)


def ram_does_not_survive_a_power_cut(_folder):
    board = blank_board()
    with_stub(started_anew(board))
    assert all(reply.value for reply in started_anew(board).replies(Request(Op.SYNC, SYNC_DATA)))


def what_waits_to_be_burned_does_not_survive_a_power_cut(_folder):
    board = blank_board()
    started_anew(board)
    board.chip.write(efuses.BASE + 0xD8 + 16, 0b111)
    started_anew(board)
    board.chip.write(efuses.BASE + efuses.CONF, 0x5A5A)
    board.chip.write(efuses.BASE + efuses.COMMAND, 2)
    assert board.chip.secure_version == 0


def what_was_burned_is_read_after_a_power_cut(_folder):
    board = blank_board()
    started_anew(board)
    board.chip.raise_secure_version(3)
    started_anew(board)
    assert board.chip.read(efuses.BASE + 0x78 + 16) == 0b111


# -- console and serial path -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def console_on(port: int, protocol: str):
    recorder = ConsoleRecorder("127.0.0.1", port, protocol=protocol)
    recorder.start()
    try:
        until(lambda: recorder.connected, "the recorder to connect")
        yield recorder
    finally:
        recorder.stop()


def a_console_disturbs_nothing(_folder):
    """A board with nothing to start samples its pins over and over."""
    with served_board() as served:
        typed = []
        served.board.received = lambda data, _now: typed.append(data)
        with console_on(served.rfc2217, "rfc2217") as console:
            console.write(b"x")
            until(lambda: typed, "what was typed")  # what was done to the lines before has arrived, too
            seen = served.events.count("no-bootloader")
            until(
                lambda: served.events.count("no-bootloader") > seen + 1 or "download" in served.events, "another start"
            )
            assert not {"reset", "download"} & set(served.events)


def a_console_that_is_lent_lets_the_port_go(_folder):
    with served_board() as served, console_on(served.plain, "raw") as console:
        with console.released():
            assert not console.connected
        until(lambda: console.connected, "the console to connect")


def downloading(served: ServedBoard) -> RomLoader:
    served.into_download()
    return RomLoader(SerialAddress("127.0.0.1", served.plain, "raw"), resets=False)


def what_did_not_reach_flash_is_noticed(_folder):
    with served_board() as served, downloading(served) as rom:
        memory, perform = served.board.memory, served.board.memory.perform
        rom.write(0x10000, built(NEW)[:0x1000])
        memory.perform = lambda run, begin, end: None if run.kind == "program" else perform(run, begin, end)
        assert raises(DeviceFault, lambda: rom.write(0x10000, built(OLD)[:0x1000]))


def the_application_of_a_golden_set_comes_last(_folder):
    addresses = [address for address, _data in GoldenSet(b"\xe9", TABLE, b"\xe9").parts()]
    assert addresses == [0x1000, 0x8000, TABLE.otadata.offset, TABLE.slot(0).offset]


class MemoryLoader:
    """A loader's flash, whoever has written to it."""

    reported_flash_size = None

    def __init__(self, content: bytes):
        self.flash = bytearray(content)

    def digest(self, address: int, length: int) -> str:
        return md5(self.flash[address : address + length]).hexdigest()

    def erase(self, address: int, length: int) -> None:
        self.flash[address : address + length] = b"\xff" * length

    def write(self, address: int, data: bytes) -> None:
        self.flash[address : address + len(data)] = data


def the_known_state_remembers_nothing(_folder):
    golden, nvs = GoldenSet(b"\xe9", TABLE, b"\xe9"), next(row for row in TABLE.rows if row.usage == "WiFi data")
    for work in (DrivenEsp32.flash, forget_settings):
        rom = MemoryLoader(bytes(4 << 20))
        board = board_that_says()
        board.loader = lambda *_watch, rom=rom: contextlib.nullcontext(rom)
        work(board, golden)
        assert rom.flash[nvs.offset : nvs.offset + nvs.size] == b"\xff" * nvs.size


# -- the ladder --------------------------------------------------------------------------------------------------------

BANNER = b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
DOWNLOADS = b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n"
RUNS = b"I app_init: App version:      1.0.0\r\n"
JOINS = b"I app: connected to the network\r\n"
LOOPS = b"rst:0x3 (SW_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nE boot: No bootable app partitions\r\n"


class Console(Ticking):
    """A clock by which a board says what it has to say: seconds after its power-on, and what comes then."""

    def __init__(self, *says: tuple[float, bytes]):
        super().__init__()
        self.recorder = ConsoleRecorder("127.0.0.1", 1)
        self.recorder._link = object()
        self._says, self._waiting = says, []

    def power_on(self) -> None:
        self._waiting = [(self.at + after, data) for after, data in self._says]
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        while self._waiting and self._waiting[0][0] <= self.at:
            self.recorder._note(Entry(time.monotonic_ns(), "bytes", self._waiting.pop(0)[1]))


def board_that_says(*says: tuple[float, bytes], **wires) -> DrivenEsp32:
    """A board that says this at every power-on; `wires` are what else it hangs on."""
    console = Console(*says)
    relay = SimpleNamespace(on=console.power_on, off=lambda: None, get=lambda: False)
    wires = {"serial": SerialAddress("nowhere"), **wires}
    return DrivenEsp32("esp32-01", relay=relay, console=console.recorder, clock=console, **wires)


def climber(board: DrivenEsp32) -> RescueLadder:
    """The ladder under a board."""
    data = {"bootloader": b"\xe9", "table": TABLE.pack(), "old": built(OLD), "new": built(NEW)}
    roles = {role: Image(role, "esp32", "1", content, "ok") for role, content in data.items()}
    return RescueLadder(board, roles, roles["old"])


def climbed(board: DrivenEsp32) -> Outcome:
    """What the ladder makes of a board."""
    return climber(board).climb(lambda _text: None)


def rescued(*says: tuple[float, bytes]) -> Outcome:
    """What the ladder makes of a board without wires to its pins that says this at every power-on."""
    return climbed(board_that_says(*says))


def a_silent_esp32_is_dead(_folder):
    assert rescued().dead


def an_esp32_without_power_shows_nothing_of_what_it_said_before(_folder):
    board = board_that_says((0.1, BANNER), (0.4, RUNS))
    board.power_on()
    assert board.is_alive(1.0)
    board.power_off()
    assert board.observe(0.5) is None


def an_esp32_that_waits_for_a_download_is_not_alive(_folder):
    assert rescued((0.1, DOWNLOADS)).dead


def an_application_that_crashes_at_once_is_not_alive(_folder):
    assert rescued((0.1, BANNER), (0.4, RUNS), (0.8, LOOPS)).dead


def an_application_that_goes_on_has_healed_itself(_folder):
    outcome = rescued((0.1, BANNER), (0.4, RUNS))
    assert (outcome.rung, outcome.dead) == ("self", False)


#: Seconds between its starts, and what is said in each and when: applications that never stay.
FOR_EVER = {
    "at once": (1.0, ((0.1, BANNER), (0.4, RUNS))),
    "a little later": (2.6, ((0.1, BANNER), (0.4, RUNS))),
    "when it is in the network": (3.4, ((0.1, BANNER), (0.4, RUNS), (2.4, JOINS))),
    "by the watchdog": (9.1, ((0.1, BANNER), (0.4, RUNS))),
}


def an_application_that_restarts_for_ever_is_not_alive(_folder):
    for case, (period, says) in FOR_EVER.items():
        loop = [(count * period + after, data) for count in range(60) for after, data in says]
        outcome = rescued(*loop)
        assert outcome.dead, f"{case}: {outcome}"
        assert "self: crashes" in outcome.seen, case


def an_application_that_crashed_first_and_stays_then_has_healed_itself(_folder):
    outcome = rescued((0.1, BANNER), (0.4, RUNS), (1.2, BANNER), (1.6, RUNS), (3.6, JOINS))
    assert (outcome.rung, outcome.dead) == ("self", False)


GPIO0 = SimpleNamespace(set=lambda _held: None)


def reflashed(fault: RigError) -> Outcome:
    """What the ladder makes of a silent board whose loader fails so."""
    board = board_that_says(boot=GPIO0)

    def fail() -> None:
        raise fault

    board.enter_readback_mode = fail
    return climbed(board)


def a_board_that_no_longer_answers_its_loader_is_dead(_folder):
    silent = NoAnswer("as it was to")
    assert not raises(LabFault, lambda: reflashed(silent))
    assert reflashed(silent).dead


def a_serial_port_that_is_gone_makes_no_board_dead(_folder):
    assert raises(LabFault, lambda: reflashed(LabFault("as it was to")))


def silence_after_power_came_back_is_no_fault_of_the_firmware(_folder):
    faults = []
    for says in ((), ((0.1, BANNER), (0.4, RUNS))):
        try:
            board_that_says(*says, boot=GPIO0).enter_readback_mode()
        except RigError as error:
            faults.append(type(error))
    assert faults == [NoAnswer, DeviceFault]
