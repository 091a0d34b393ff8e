"""Arduino's HTTPUpdate: one HTTP/1.0 request that is the check-in, too, and Updater, which writes what it brings.

Facts: arduino-esp32's Updater.cpp, HTTPUpdate.cpp. The first 16 bytes are written last: what was
interrupted has no magic byte.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Generator, Iterable

from rig.families.esp32.formats import header as esp_header
from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.idf_client import MD5_IN_ANY_CASE
from rig.families.esp32.formats.partition_table import Partition
from rig.families.esp32.twin.app.connection import ConnectionFailed, Security, TimedOut
from rig.families.esp32.twin.app.esp_error import EspError
from rig.families.esp32.twin.app.http import Response, request
from rig.families.esp32.twin.app.http_head import HungUp, Malformed, Url
from rig.families.esp32.twin.app.ota import Ota, perform
from rig.families.esp32.twin.memory import BLOCK, SECTOR
from rig.formats.certificate_refusal import VERIFY_FAILED
from rig.twin.flash import Run
from rig.twin.steps import Program, Step, Timer

USER_AGENT = "ESP32-http-Update"
#: Time-out of a socket operation, and how long the first byte of the body may be late.
SECONDS, PEEK_SECONDS = 8.0, 0.1
#: Reads that may bring nothing, one after the other, and the pause after each.
MOST_EMPTY_READS, PAUSE_SECONDS = 300, 0.1
KEPT_BACK = 16

#: Errors by the library's numbers.
REFUSED, CONNECTION_LOST, NO_HTTP, BAD_ENCODING, READ_TIMEOUT = -1, -5, -7, -9, -11
NO_ROOM, NO_LENGTH, NOT_FOUND, FORBIDDEN, WRONG_STATUS = -100, -101, -102, -103, -104
BAD_MD5, BAD_MAGIC = -105, -106
_TEXTS = {
    REFUSED: "HTTP error: connection refused",
    CONNECTION_LOST: "HTTP error: connection lost",
    NO_HTTP: "HTTP error: no HTTP server",
    BAD_ENCODING: "HTTP error: Transfer-Encoding not supported",
    READ_TIMEOUT: "HTTP error: read Timeout",
    NO_ROOM: "Not Enough space",
    NO_LENGTH: "Server Did Not Report Size",
    NOT_FOUND: "File Not Found (404)",
    FORBIDDEN: "Forbidden (403)",
    WRONG_STATUS: "Wrong HTTP Code",
    BAD_MD5: "Wrong MD5",
    BAD_MAGIC: "Verify Bin Header Failed",
}
#: Errors of Updater are positive.
WRITE_FAILED, STREAM_TIMEOUT, MD5_MISMATCH, NOT_ACTIVATED = 1, 6, 7, 9
_UPDATER_TEXTS = {
    WRITE_FAILED: "Flash Write Failed",
    STREAM_TIMEOUT: "Stream Read Timeout",
    MD5_MISMATCH: "MD5 Check Failed",
    NOT_ACTIVATED: "Could Not Activate The Firmware",
}
_STATUSES = {404: NOT_FOUND, 403: FORBIDDEN}


class Result(enum.Enum):
    """What the library tells its caller."""

    FAILED = "failed"
    NO_UPDATES = "no-updates"
    OK = "ok"


class UpdateFailed(Exception):
    """The library's last error."""

    def __init__(self, error: int):
        text = _TEXTS.get(error) or f"Update error: {_UPDATER_TEXTS.get(error, 'UNKNOWN')}"
        super().__init__(f"Error ({error}): {text}")
        self.error = error


def http_update(
    ota: Ota, url: str, version: str, trust: Security | None, seconds: float = SECONDS
) -> Generator[Step, bool, Result]:
    """Ask `url` as the running `version` for another one, and write it: NO_UPDATES or OK. Raises UpdateFailed."""
    try:
        address = Url.parse(url)
    except Malformed as malformed:
        raise UpdateFailed(REFUSED) from malformed
    response = yield from _ask(ota, address, version, trust, seconds)
    try:
        result = yield from _answered(ota, response)
    except UpdateFailed:
        response.close()
        raise
    response.close()
    return result


def headers_of(ota: Ota, version: str) -> dict[str, str]:
    """What the request tells of the device: it is all the telemetry there is."""
    chip, running = ota.board.chip, ota.running
    image = esp_image.verify(ota.read, running.offset, running.size, chip.model)
    sketch = ota.read(running.offset, image.length)
    try:
        free = ota.next_slot().size
    except EspError:
        free = 0
    return {
        "Cache-Control": "no-cache",
        "x-ESP32-STA-MAC": chip.mac.hex(":").upper(),
        # The access point's is the next one, by the last byte alone.
        "x-ESP32-AP-MAC": (chip.mac[:5] + bytes([chip.mac[5] + 1 & 0xFF])).hex(":").upper(),
        "x-ESP32-free-space": str(free),
        "x-ESP32-sketch-size": str(image.length),
        "x-ESP32-sketch-md5": hashlib.md5(sketch).hexdigest(),
        "x-ESP32-sketch-sha256": (image.digest or b"").hex().upper(),
        "x-ESP32-chip-size": str(ota.board.memory.size),
        "x-ESP32-sdk-version": f"v{ota.behaviour.idf}",
        "x-ESP32-mode": "sketch",
        "x-ESP32-version": version,
    }


def _ask(ota: Ota, url: Url, version: str, trust: Security | None, seconds: float) -> Generator[Step, bool, Response]:
    headers = {"Host": url.authority, "User-Agent": USER_AGENT, "Connection": "close", **headers_of(ota, version)}
    try:
        return (yield from request(ota.board, url, "GET", headers, trust, seconds, version="1.0"))
    except ConnectionFailed as failure:
        if trust is None and url.scheme == "https":
            ota.board.say("E ssl_client: start_ssl_client: Either CA or PSK or insecure must be set")
        elif failure.mbedtls == VERIFY_FAILED:
            text = "X509 - Certificate verification failed, e.g. CRL, CA or signature check failed"
            ota.board.say(f"E ssl_client: ({failure.mbedtls}) {text}")
        elif failure.mbedtls:
            ota.board.say(f"E ssl_client: ({failure.mbedtls})")
        raise UpdateFailed(REFUSED) from failure
    except TimedOut as late:
        raise UpdateFailed(READ_TIMEOUT) from late
    except HungUp as gone:
        raise UpdateFailed(CONNECTION_LOST) from gone
    except Malformed as malformed:
        raise UpdateFailed(NO_HTTP) from malformed


def _answered(ota: Ota, response: Response) -> Generator[Step, bool, Result]:
    head = response.head
    encoding = head.headers.get("transfer-encoding")
    if encoding is not None and not head.chunked:
        raise UpdateFailed(BAD_ENCODING)
    if head.status == 304:
        return Result.NO_UPDATES
    if head.status != 200:
        raise UpdateFailed(_STATUSES.get(head.status, WRONG_STATUS))
    try:
        size = head.length
    except Malformed:
        size = None
    if not size or head.chunked:
        raise UpdateFailed(NO_LENGTH)
    target = _target(ota)
    if size > target.size:
        raise UpdateFailed(NO_ROOM)
    if (yield from _peek(response)) != bytes([esp_header.MAGIC]):
        raise UpdateFailed(BAD_MAGIC)
    md5 = head.headers.get("x-md5")
    if md5 and len(md5) != 32:
        raise UpdateFailed(BAD_MD5)
    updater = Updater(ota, target, size)
    yield from _stream(response, updater, size)
    if md5 and (md5.lower() if ota.behaviour.arduino_core.does(MD5_IN_ANY_CASE) else md5) != updater.md5:
        raise UpdateFailed(MD5_MISMATCH)
    yield from updater.finish()
    return Result.OK


def _target(ota: Ota) -> Partition:
    try:
        return ota.next_slot()
    except EspError as error:
        raise UpdateFailed(NO_ROOM) from error


def _peek(response: Response) -> Generator[Step, bool, bytes]:
    try:
        return (yield from response.peek(1, PEEK_SECONDS))
    except Malformed as malformed:
        raise UpdateFailed(BAD_MAGIC) from malformed


def _stream(response: Response, updater: Updater, size: int) -> Program:
    """Fill and write sector after sector; a server that says nothing, or has hung up, is asked 300 times."""
    left, buffer, empty = size, b"", 0
    while left:
        try:
            data = yield from response.read(min(SECTOR - len(buffer), left - len(buffer)))
        except TimedOut:
            data = b""
        except Malformed as malformed:
            raise UpdateFailed(STREAM_TIMEOUT) from malformed
        if not data:
            empty += 1
            if empty >= MOST_EMPTY_READS:
                raise UpdateFailed(STREAM_TIMEOUT)
            yield Timer(PAUSE_SECONDS)
            continue
        empty, buffer = 0, buffer + data
        if len(buffer) in (SECTOR, left):
            yield from updater.write(buffer)
            left, buffer = left - len(buffer), b""


class Updater:
    """Update of the Arduino core: an image of `size` bytes into `target`, sector by sector."""

    def __init__(self, ota: Ota, target: Partition, size: int):
        self._ota, self._target, self._size = ota, target, size
        self._memory = ota.board.memory
        self._kept_back = b""
        self._written = 0
        self._md5 = hashlib.md5()

    @property
    def md5(self) -> str:
        """Of everything written, in hexadecimal."""
        return self._md5.hexdigest()

    def write(self, data: bytes) -> Program:
        """The next sector, or what is left; the first 16 bytes of all are kept back, and blank stretches left out.

        Raises UpdateFailed.
        """
        self._md5.update(data)
        at = self._target.offset + self._written
        yield from _perform(self._erasing(at))
        skip = 0
        if not self._written:
            skip, self._kept_back = KEPT_BACK, data[:KEPT_BACK]
        rest = data[skip:]
        if len(rest) % 4 or rest.strip(b"\xff"):
            yield from _perform(self._memory.programming(at + skip, rest))
        self._written += len(data)

    def finish(self) -> Program:
        """Write what was kept back, and choose the slot. Raises UpdateFailed."""
        yield from _perform(self._memory.programming(self._target.offset, self._kept_back))
        try:
            yield from self._ota.set_boot(self._target)
        except EspError as error:
            raise UpdateFailed(NOT_ACTIVATED) from error

    def _erasing(self, at: int) -> Iterable[Run]:
        """By blocks of 64 KiB as long as a whole one is to come, and then by sectors."""
        if self._size - self._written >= BLOCK and at % BLOCK == 0:
            return self._memory.erasing_in_blocks(at, BLOCK)
        if at >= (self._target.offset + self._size) // BLOCK * BLOCK:
            return self._memory.erasing(at, SECTOR)
        return ()


def _perform(runs: Iterable[Run]) -> Program:
    """Flash work. Raises UpdateFailed where flash does not take it."""
    try:
        yield from perform(runs)
    except EspError as error:
        raise UpdateFailed(WRITE_FAILED) from error
