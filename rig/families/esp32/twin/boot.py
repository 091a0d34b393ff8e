"""From reset to the application: the mask ROM's banner, download mode or the second stage, and what that starts."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rig.families.esp32.firmware.details import behaviour_of, with_behaviour
from rig.families.esp32.formats.boot import Erase, Hang, Program, Say, boot
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.flash_parameters import FlashParameters
from rig.families.esp32.formats.header import MAGIC, Header
from rig.families.esp32.formats.image import Image as EspImage
from rig.families.esp32.formats.image import wrapping
from rig.families.esp32.formats.partition_table import TABLE_OFFSET, Partition
from rig.families.esp32.formats.second_stage import BOOTLOADER_OFFSET
from rig.families.esp32.twin.app.application import application
from rig.families.esp32.twin.app.waiting import wait_until
from rig.families.esp32.twin.memory import SECTOR
from rig.families.esp32.twin.rom_loader import rom_loader
from rig.families.esp32.twin.steps import POWERON, RTCWDT_RTC, SW_RESET, Board, Reboot
from rig.families.esp32.twin.uart import ROM_BAUD
from rig.firmware.manifest import Image
from rig.twin.flash import Run
from rig.twin.steps import Delay, Idle, Step, Timer, Work
from rig.twin.steps import Program as Steps

#: The ROM until it has loaded the second stage; an image is hashed on every start at about this many bytes a second
#: (estimates: nothing was measured).
ROM_SECONDS, HASHED_PER_SECOND = 0.05, 4_000_000
#: What a restart takes at least; nothing scales it, so that a board that restarts for ever leaves the machine in peace.
RESTART_SECONDS = 0.01
#: How long a ROM that finds nothing to load says so, until the RTC's watchdog resets it.
GIVES_UP_SECONDS, SAYS_SO = 1.0, 4
#: The second stage's watchdog, as it is built unless somebody says otherwise (CONFIG_BOOTLOADER_WDT_TIME_MS).
WATCHDOG_SECONDS = 9.0
#: What a start that finds nothing takes at least.
LOOP_SECONDS = 0.1

REASONS = {
    0x1: "POWERON_RESET",
    0x3: "SW_RESET",
    0x7: "TG0WDT_SYS_RESET",
    0x8: "TG1WDT_SYS_RESET",
    0x9: "RTCWDT_SYS_RESET",
    0xC: "SW_CPU_RESET",
    0xF: "RTCWDT_BROWN_OUT_RESET",
    0x10: "RTCWDT_RTC_RESET",
}


def start(board: Board) -> Steps:
    """Everything from the end of a reset on."""
    board.running = None
    if board.reset_cause != POWERON:
        yield from wait_until(board, board.time + RESTART_SECONDS)
    board.say(board.chip.banner)
    straps, way = (
        (0x3, "DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2)") if board.downloads else (0x13, "SPI_FAST_FLASH_BOOT")
    )
    board.say(f"rst:0x{board.reset_cause:x} ({REASONS[board.reset_cause]}),boot:0x{straps:x} ({way})")
    if board.downloads:
        board.say("waiting for download")
        board.event("download")
        yield from rom_loader(board)  # comes back when code in flash is to be run
    yield Delay(ROM_SECONDS)
    config = yield from _second_stage(board)
    yield from _run_second_stage(board, config)


def _second_stage(board: Board) -> Generator[Step, Any, BootConfig]:
    """Load the second stage; what is none ends in the watchdog's reset."""
    area = board.memory.flash.read(BOOTLOADER_OFFSET, TABLE_OFFSET - BOOTLOADER_OFFSET)
    config = board.bootloaders(area, board.chip) if area[0] == MAGIC else None
    if config is None:
        board.event("no-bootloader")
        lines = _no_bootloader(board, area)
        for line in lines:
            board.say(line)
            yield Timer(GIVES_UP_SECONDS / len(lines))
        yield Reboot(RTCWDT_RTC)
        raise AssertionError("a board that restarts does not go on")
    board.say("configsip: 0, SPIWP:0xee")
    board.say("clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00")
    flash = FlashParameters.of(Header.unpack(area))
    board.say(f"mode:{flash.mode}, clock div:{flash.divider}")
    board.say(f"load:0x3fff0030,len:{int.from_bytes(area[28:32], 'little')}")
    board.say(f"entry 0x{int.from_bytes(area[4:8], 'little'):08x}")
    return config


def _no_bootloader(board: Board, area: bytes) -> list[str]:
    """What the ROM says of it: revisions 0 and 1 and later ones differ (§1.9); a half written one is an assumption."""
    if area[0] == MAGIC:
        return ["csum err:0xff!=0x00"] * SAYS_SO
    if board.chip.revision >= 300:
        return [f"invalid header: 0x{int.from_bytes(area[:4], 'little'):08x}"] * SAYS_SO
    return ["flash read err, 1000", "ets_main.c 371 "]


class _Reading:
    """Flash as a second stage reads it, and how long that takes."""

    def __init__(self, board: Board, config: BootConfig):
        self._memory, self._questions, self._config = board.memory, board.questions, config
        self._bytes = 0
        self.reader = wrapping(self._read, board.memory.size)

    def check(self, offset: int, size: int) -> EspImage:
        """The image in a partition, which is hashed whole."""
        config = self._config
        image = self._questions.checked(self._memory.flash, self.reader, offset, size, config.chip, config.release)
        self._bytes += image.length
        return image

    def seconds(self) -> float:
        """Of what was read since this was asked."""
        seconds, self._bytes = self._bytes / HASHED_PER_SECOND, 0
        return seconds

    def _read(self, offset: int, length: int) -> bytes:
        self._bytes += length
        return self._memory.flash.read(offset, length) if offset + length <= self._memory.size else b""


def _run_second_stage(board: Board, config: BootConfig) -> Steps:
    board.uart.baud = ROM_BAUD  # a loader that came before may have left another
    reading = _Reading(board, config)
    steps = boot(reading.reader, config, reading.check)
    entered, hangs = None, False
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            entered = end.value
            break
        if seconds := reading.seconds():
            yield Delay(seconds)
        match step:
            case Say(line):
                board.uart.send(line.encode("latin-1", "replace") + b"\r\n")  # a label may be any bytes
            case Hang():
                hangs = True
            case Erase(address) | Program(address) if address >= board.memory.size:
                pass  # a header that promises more flash than there is
            case Erase(address):
                yield Work(Run("erase", address - address % SECTOR, SECTOR, 1))
            case Program(address, data):
                yield Work(Run("program", address, len(data), 1, data))
    if entered is not None:
        yield from _run_application(board, entered, config)
        return
    board.event("nothing-to-start")
    yield Timer(WATCHDOG_SECONDS if hangs else LOOP_SECONDS)
    yield Reboot(RTCWDT_RTC if hangs else SW_RESET)


def _run_application(board: Board, entered: Partition, config: BootConfig) -> Steps:
    length = min(entered.size, board.memory.size - entered.offset)
    image = _at_this_board(board, board.questions.application(board.memory.flash, entered.offset, length))
    board.running = entered.label
    board.event(f"start:{entered.label}:{image.name if image is not None else 'unknown'}")
    yield from application(board, entered, image, config.flash_size)
    yield Idle()


def _at_this_board(board: Board, image: Image | None) -> Image | None:
    """Firmware that asks under its own address: `{mac}` in its URL is the board's."""
    behaviour = behaviour_of(image) if image is not None else None
    if image is None or behaviour is None or behaviour.url is None:
        return image
    url = behaviour.url.replace("{mac}", board.chip.mac.hex())
    return with_behaviour(image, behaviour.model_copy(update={"url": url}))
