"""ESP32s driven by hand over a serial port: a look at what they would start, and their flash."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.drivers.console_link import POLL_SECONDS, Link, RawLink, Rfc2217Link
from rig.drivers.progress import Progress, Watcher, ignore_progress
from rig.errors import LabFault, Misuse
from rig.families.esp32.drivers.loader import ROM_BAUD, RomLoader, SerialAddress
from rig.families.esp32.firmware.file_kinds import APPLICATION
from rig.families.esp32.firmware.refusal import refused_by_esp32
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.chip import ESP32
from rig.families.esp32.formats.header import MAGIC
from rig.families.esp32.formats.image import SIXTEEN_MB
from rig.families.esp32.formats.otadata import State
from rig.families.esp32.formats.partition_table import APP, TABLE_OFFSET, TABLE_SIZE, PartitionTable, TableRefused
from rig.families.esp32.lab.placement import misplaced, would_start
from rig.files import read_user_file
from rig.firmware.file_kinds import kind_of

#: Hears, in a line for people, what goes on.
Say = Callable[[str], object]
SECTOR = otadata.SECTOR
FORCE = "force it if you are sure"


def look(port: str, say: Say, *, waits: bool) -> dict[str, Any]:
    """Chip, partitions, records, and the application a second stage without rollback would start.

    Nothing is written. `say` hears what goes on, here and below. Raises Misuse, LabFault.
    """
    with _loader(port, say, waits=waits) as rom:
        read = _Cached(rom)
        found: dict[str, Any] = {"chip": rom.chip, "mac": rom.mac, "flash": read.size, "partitions": [], "otadata": []}
        try:
            table = PartitionTable.parse(read(TABLE_OFFSET, TABLE_SIZE), SIXTEEN_MB)
        except TableRefused:
            table = PartitionTable(())  # why is what a start says of it
        for row in table.rows:
            image = _image(read, row.offset, row.size) if row.type == APP else ""
            found["partitions"].append(
                {"label": row.label, "usage": row.usage, "offset": row.offset, "size": row.size, "image": image}
            )
        if table.otadata is not None:
            records = otadata.read_records(read(table.otadata.offset, otadata.SIZE))
            found["otadata"] = [_spoken(record) for record in records]
        start = would_start(read, rom.revision, read.size)
        boots, note = start.partition, "after writing otadata" if start.writes else ""
        return {**found, "boots": boots.label if boots else None, "because": start.because, "note": note}


def read_flash(port: str, address: int, length: int | None, watch: Watcher, say: Say, *, waits: bool) -> bytes:
    """`length` bytes of flash, None up to its end. Raises Misuse, LabFault."""
    _inside(address, 1 if length is None else length, SIXTEEN_MB)
    with _loader(port, say, waits=waits, watch=watch) as rom:
        size = rom.flash_size
        wanted = size - address if length is None else length
        _inside(address, wanted, size)
        return rom.read(address, wanted)


def write_flash(
    port: str, address: int | None, file: Path, watch: Watcher, say: Say, *, force: bool, waits: bool
) -> tuple[int, int, float]:
    """Write a file, without an address over the application that would start next; returns address, size and seconds.

    Unless forced, only what an ESP32 could run: an image in its place, a partition table, what data partitions hold.
    Whatever ends it before its end, `say` hears what is in flash then. Raises Misuse, LabFault, DeviceFault.
    """
    data = read_user_file(file, SIXTEEN_MB)
    if not data:
        raise Misuse(f"{file} is empty")
    if address is not None:
        _inside(address, len(data), SIXTEEN_MB)
    if address is not None and address % SECTOR:
        raise Misuse(f"{address:#x} is not the beginning of a sector", hint="a multiple of 0x1000")
    if not force:
        _check_kind(file, data, address)
    began, progress = time.monotonic(), _HowFar(watch)
    with _loader(port, say, waits=waits, watch=progress.hear) as rom:
        read = _Cached(rom)
        place = _running_place(read, rom.revision) if address is None else address
        _inside(place, len(data), read.size)
        if not force and (refused := misplaced(read, place, data, read.size)):
            raise Misuse(f"no ESP32 could run {file} at {place:#x}: {refused}", hint=FORCE)
        try:
            rom.write(place, data)
        except BaseException:
            say(progress.left(place, len(data)))
            raise
    return place, len(data), time.monotonic() - began


def _check_kind(file: Path, data: bytes, address: int | None) -> None:
    """Refuse what is no contents of flash, and what belongs elsewhere, before a board is asked. Raises Misuse."""
    kind = kind_of(data)
    for_itself = address is not None and kind is not None and kind.belongs in (None, address)
    if kind is not None and kind != APPLICATION and (kind.nowhere or not for_itself):
        raise Misuse(f"{file} is {kind}", hint=FORCE)
    if data[0] == MAGIC and (refused := refused_by_esp32(data)):
        raise Misuse(f"{file} is an image that no ESP32 would start: {refused}", hint=FORCE)


def _running_place(read: _Cached, revision: int) -> int:
    """Where the application lies that would start next. Raises Misuse where none would."""
    start = would_start(read, revision, read.size)
    if start.partition is None:
        raise Misuse(
            f"the board has no application that would start: {start.because}",
            hint="say where to write with --address",
        )
    return start.partition.offset


def erase_flash(port: str, address: int, length: int, watch: Watcher, say: Say, *, waits: bool) -> None:
    """Erase sectors. Raises Misuse, LabFault."""
    _inside(address, length, SIXTEEN_MB)
    if address % SECTOR or length % SECTOR or not length:
        raise Misuse(f"{address:#x} and {length:#x} are no whole sectors", hint="multiples of 0x1000")
    with _loader(port, say, waits=waits, watch=watch) as rom:
        _inside(address, length, rom.flash_size)
        rom.erase(address, length)


def listen(port: str, seconds: float | None, use: Callable[[bytes], object]) -> None:
    """Hand on what the board says, for so long or until Ctrl-C. Raises Misuse, LabFault."""
    address = SerialAddress.parse(port)
    if seconds is not None and not 0 <= seconds < math.inf:
        raise Misuse(f"--seconds {seconds:g} is no time to listen", hint="for example 10; without it until Ctrl-C")
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
def _loader(port: str, say: Say, *, waits: bool, watch: Watcher = ignore_progress) -> Iterator[RomLoader]:
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
        if self._done >= length:  # what is sent is padded
            return f"all {length:,} bytes were written, and not compared: write again"
        rest = f"{address + self._done:#x} to {address + length:#x}"
        return (
            f"{self._done:,} of {length:,} bytes were written; what was from {rest} is gone or half erased: write again"
        )


class _Cached:
    """A reader of flash that asks for whole blocks, and for each once."""

    BLOCK = 0x4000

    def __init__(self, rom: RomLoader):
        self._rom = rom
        self.size = rom.flash_size
        self._blocks: dict[int, bytes] = {}

    def __call__(self, offset: int, length: int) -> bytes:
        if offset + length > self.size:
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


def _spoken(record: otadata.Record) -> str:
    if record.initial:
        return "blank" if record.seq == otadata.BLANK else f"damaged (sequence {record.seq})"
    state = next((known.name.lower() for known in State if known == record.state), f"{record.state:#x}")
    return f"sequence {record.seq}, {state}"


def _inside(address: int, length: int, size: int) -> None:
    if not 0 < length <= size - address:
        raise Misuse(f"{address:#x} and {length:,} bytes are not inside {size >> 20} MiB of flash")
