"""ESP32s driven by hand over a serial port: a look at what they would start, and their flash."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.drivers.console import POLL_SECONDS, Link, RawLink, Rfc2217Link
from rig.drivers.dfu_host import Progress, Watcher, nobody
from rig.drivers.rom_loader import FLASH_SIZE, ROM_BAUD, RomLoader, SerialAddress
from rig.errors import LabFault, Misuse
from rig.firmware.given_file import read_given
from rig.formats import esp_image, otadata
from rig.formats.esp_boot import boot
from rig.formats.esp_boot_config import BootConfig
from rig.formats.esp_chip import ESP32
from rig.formats.otadata import State
from rig.formats.partition_table import APP, TABLE_OFFSET, TABLE_SIZE, PartitionTable, TableRefused

#: Hears, in a line for people, what goes on.
Say = Callable[[str], object]
SECTOR = otadata.SECTOR
MAGIC = 0xE9


def look(port: str, say: Say, *, waits: bool) -> dict[str, Any]:
    """Chip, partitions, records, and the application a second stage without rollback would start.

    Nothing is written. `say` hears what goes on, here and below. Raises Misuse, LabFault.
    """
    with _loader(port, say, waits=waits) as rom:
        told: dict[str, Any] = {"chip": rom.chip, "mac": rom.mac, "partitions": [], "otadata": []}
        read = _Cached(rom)
        try:
            table = PartitionTable.parse(read(TABLE_OFFSET, TABLE_SIZE))
        except TableRefused as error:
            return {**told, "boots": None, "note": str(error)}
        for row in table.rows:
            image = _image(read, row.offset, row.size) if row.type == APP else ""
            told["partitions"].append(
                {"label": row.label, "usage": row.usage, "offset": row.offset, "size": row.size, "image": image}
            )
        if table.otadata is not None:
            records = otadata.read_records(read(table.otadata.offset, otadata.SIZE))
            told["otadata"] = [_spoken(record) for record in records]
        boots, writes = _would_start(read)
        return {**told, "boots": boots, "note": "after writing otadata" if writes else ""}


def read_flash(port: str, address: int, length: int, watch: Watcher, say: Say, *, waits: bool) -> bytes:
    """`length` bytes of flash. Raises Misuse, LabFault."""
    _inside(address, length)
    with _loader(port, say, waits=waits, watch=watch) as rom:
        return rom.read(address, length)


def write_flash(
    port: str, address: int, file: Path, watch: Watcher, say: Say, *, force: bool, waits: bool
) -> tuple[int, float]:
    """Write a file; returns its size and the seconds it took. Raises Misuse, LabFault, DeviceFault.

    Whatever ends it before its end, `say` hears what is in flash then.
    """
    data = read_given(file, FLASH_SIZE)
    if not data:
        raise Misuse(f"{file} is empty")
    _inside(address, len(data))
    if address % SECTOR:
        raise Misuse(f"{address:#x} is not the beginning of a sector", hint="a multiple of 0x1000")
    if not force and data[0] == MAGIC and (refused := _refused(data)):
        raise Misuse(f"{file} is an image that no ESP32 would start: {refused}", hint="force it if you are sure")
    began, told = time.monotonic(), _HowFar(watch)
    with _loader(port, say, waits=waits, watch=told.hear) as rom:
        try:
            rom.write(address, data)
        except BaseException:
            say(told.left(address, len(data)))
            raise
    return len(data), time.monotonic() - began


def erase_flash(port: str, address: int, length: int, watch: Watcher, say: Say, *, waits: bool) -> None:
    """Erase sectors. Raises Misuse, LabFault."""
    _inside(address, length)
    if address % SECTOR or length % SECTOR or not length:
        raise Misuse(f"{address:#x} and {length:#x} are no whole sectors", hint="multiples of 0x1000")
    with _loader(port, say, waits=waits, watch=watch) as rom:
        rom.erase(address, length)


def listen(port: str, seconds: float | None, use: Callable[[bytes], object]) -> None:
    """Hand on what the board says, for so long or until Ctrl-C. Raises Misuse, LabFault."""
    address = SerialAddress.parse(port)
    try:
        link = _link(address)
    except OSError as error:
        raise LabFault(f"cannot open {port}: {error}", hint="is it there, and does nobody else have it?") from error
    until = None if seconds is None else time.monotonic() + seconds
    with contextlib.closing(link), contextlib.suppress(KeyboardInterrupt):
        while until is None or time.monotonic() < until:
            try:
                if data := link.read():
                    use(data)
            except OSError as error:
                raise LabFault(f"{port}: {error}") from error


def _link(address: SerialAddress) -> Link:
    """A connection that leaves DTR and RTS alone, as far as it can. Raises OSError."""
    if address.protocol == "rfc2217":
        return Rfc2217Link(address.host, address.port, ROM_BAUD)
    return RawLink(address.host, address.port) if address.protocol == "raw" else _DeviceLink(address.host)


class _DeviceLink:
    """A serial port of this machine, its lines let go."""

    def __init__(self, device: str):
        import serial

        self._port = serial.Serial(baudrate=ROM_BAUD, timeout=POLL_SECONDS)
        self._port.dtr = self._port.rts = False
        self._port.port = device
        self._port.open()

    def read(self) -> bytes:
        """What has come."""
        return bytes(self._port.read(self._port.in_waiting or 1))

    def write(self, data: bytes) -> None:
        """Send."""
        self._port.write(data)

    def close(self) -> None:
        """Let it go."""
        self._port.close()


@contextmanager
def _loader(port: str, say: Say, *, waits: bool, watch: Watcher = nobody) -> Iterator[RomLoader]:
    """A conversation with a board that starts again afterwards, however it ends, unless it waited to begin with."""
    address = SerialAddress.parse(port)
    say(f"looking for a loader at {port}")
    with RomLoader(address, resets=not waits, watch=watch) as rom:
        try:
            yield rom
        except BaseException:
            with contextlib.suppress(LabFault):  # what went wrong first is what is told
                _let_start(rom, waits)
            raise
        _let_start(rom, waits)


def _let_start(rom: RomLoader, waits: bool) -> None:
    if not waits:
        rom.restart()


class _HowFar:
    """Hears how far a write has come, and hands it on."""

    def __init__(self, watch: Watcher):
        self._watch = watch
        self._has_begun, self._done = False, 0

    def hear(self, progress: Progress) -> None:
        """One step of it."""
        self._has_begun = self._has_begun or progress.phase == "erase"
        self._done = progress.done if progress.phase == "program" else self._done
        self._watch(progress)

    def left(self, address: int, length: int) -> str:
        """What is in flash when it ends now."""
        if not self._has_begun:
            return "nothing was written"
        rest = f"{address + self._done:#x} to {address + length:#x}"
        return (
            f"{self._done:,} of {length:,} bytes were written; what was from {rest} is gone or half erased: write again"
        )


class _Cached:
    """A reader of flash that asks for whole blocks, and for each once."""

    BLOCK = 0x4000

    def __init__(self, rom: RomLoader):
        self._rom = rom
        self._blocks: dict[int, bytes] = {}

    def __call__(self, offset: int, length: int) -> bytes:
        if offset + length > FLASH_SIZE:
            return b""
        first, last = offset // self.BLOCK, (offset + max(length, 1) - 1) // self.BLOCK
        for number in range(first, last + 1):
            if number not in self._blocks:
                self._blocks[number] = self._rom.read(number * self.BLOCK, self.BLOCK)
        data = b"".join(self._blocks[number] for number in range(first, last + 1))
        return data[offset - first * self.BLOCK :][:length]


def _image(read: Callable[[int, int], bytes], offset: int, size: int) -> str:
    if read(offset, 1) != bytes([MAGIC]):
        return "no image"
    found = esp_image.verify(read, offset, size, ESP32)
    if found.refused:
        return str(found.refused)
    return f"{found.description.project} {found.description.version}" if found.description else "an image"


def _would_start(read: Callable[[int, int], bytes]) -> tuple[str | None, bool]:
    """Label of the application, and whether the second stage would write before it enters it."""
    steps, writes = boot(read, BootConfig()), False
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return (end.value.label if end.value else None), writes
        writes = writes or not hasattr(step, "line")


def _refused(data: bytes) -> str | None:
    found = esp_image.verify(lambda offset, length: data[offset : offset + length], 0, len(data), ESP32)
    return str(found.refused) if found.refused and found.refused.reason not in ("revision", "address") else None


def _spoken(record: otadata.Record) -> str:
    if record.initial:
        return "blank" if record.seq == otadata.BLANK else f"damaged (sequence {record.seq})"
    state = next((known.name.lower() for known in State if known == record.state), f"{record.state:#x}")
    return f"sequence {record.seq}, {state}"


def _inside(address: int, length: int) -> None:
    if not 0 < length <= FLASH_SIZE - address:
        raise Misuse(f"{address:#x} and {length:,} bytes are not inside 4 MiB of flash")
