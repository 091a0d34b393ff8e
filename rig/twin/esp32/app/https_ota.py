"""esp_https_ota: an image fetched over HTTPS and written as it comes, with ESP-IDF's order, refusals and hazards.

Facts: reference/esp32.md §6.1. Requests are in fetch.py, flash work in ota.py; when to check is the application's.
"""

from __future__ import annotations

from collections.abc import Generator

from rig.formats import esp_image
from rig.formats.esp_header import UNSET_REVISIONS, Header
from rig.formats.esp_image import AppDescription
from rig.formats.partition_table import Partition
from rig.twin.esp32.app.connection import TimedOut
from rig.twin.esp32.app.esp_error import FAIL, INVALID_ARG, INVALID_VERSION, OK, EspError
from rig.twin.esp32.app.fetch import Attempt, Fetch, Request
from rig.twin.esp32.app.http import Malformed, Response
from rig.twin.esp32.app.ota import SEQUENTIAL, Erase, Ota, Update
from rig.twin.esp32.app.resume_counter import ResumeCounter
from rig.twin.steps import Program, Step

#: Read before anything is written: image header, first segment's header and application description lie in it.
HEADER_SIZE = 1024


def https_ota(ota: Ota, asked: Request, attempt: Attempt) -> Generator[Step, bool, int]:
    """One update up to the choice of the new slot; returns the esp_err_t, and tells `attempt` more."""
    try:
        yield from _Download(ota, asked, attempt).run()
    except EspError as error:
        return error.code
    return OK


class _Download:
    def __init__(self, ota: Ota, asked: Request, attempt: Attempt):
        self._ota, self._asked, self._attempt = ota, asked, attempt
        self._board = ota.board
        self._until = None if asked.deadline is None else ota.board.time + asked.deadline
        self._counter: ResumeCounter | None = None
        if asked.trust is None:
            self._say("E", "No option for server verification is enabled in esp_http_client config.")
            raise EspError(INVALID_ARG)
        self._fetch = Fetch(ota.board, asked, attempt, ota.behaviour.idf_release)

    def run(self) -> Program:
        target = self._ota.next_slot()
        written = 0
        if self._asked.resumption:
            self._counter = ResumeCounter(self._ota, target.offset)
            written = self._counter.value if self._counter.value >= HEADER_SIZE else 0
        response, written = yield from self._fetch.begin(written)
        self._say("I", "Starting OTA...")
        self._say("I", f"Writing to <{target.label}> partition at offset 0x{target.offset:x}")
        try:
            yield from self._take(response, target, written)
        except EspError:
            self._board.tcp.close()
            raise
        self._board.tcp.close()
        yield from self._ota.set_boot(target)

    def _take(self, response: Response, target: Partition, written: int) -> Program:
        """Write what comes into `target`, and verify it. With `written` the image was begun before."""
        erase = Erase(self._fetch.length or 0) if self._asked.bulk_erase else SEQUENTIAL
        header = b""
        if self._asked.compares_version:
            header = b"" if written else (yield from self._header(response))
            self._compare(header or self._ota.read(target.offset, HEADER_SIZE))
        if written:
            update = self._ota.resume(target, erase, written)
        else:
            update = yield from self._ota.begin(target, erase)
            header = header or (yield from self._header(response))
            self._check(header)
            yield from self._write(update, header)
        while True:
            yield from self._rest(response, update)
            if self._asked.partial is None or update.written >= (self._fetch.length or 0):
                break
            response = yield from self._fetch.next_piece(update.written)
        update.end()
        if self._counter is not None:
            yield from self._counter.store(0)

    def _rest(self, response: Response, update: Update) -> Program:
        """Everything that an answer still brings; a server that says nothing is waited for."""
        size = max(self._asked.buffer, HEADER_SIZE)
        while True:
            try:
                data = yield from response.read(size)
            except TimedOut:
                self._check_deadline()
                continue
            except Malformed as malformed:
                raise EspError(FAIL) from malformed
            if not data:
                break
            yield from self._write(update, data)
            self._check_deadline()
        if not response.complete:
            self._say("E", "Connection closed before complete data was received!")
            raise EspError(FAIL)

    def _write(self, update: Update, data: bytes) -> Program:
        try:
            yield from update.write(data)
        except EspError as error:
            self._say("E", f"Error: esp_ota_write failed! err=0x{error.code:x}")
            raise
        if self._counter is not None:
            yield from self._counter.store(update.written)

    def _header(self, response: Response) -> Generator[Step, bool, bytes]:
        header = bytearray()
        while len(header) < HEADER_SIZE and not response.exhausted:
            try:
                header += yield from response.read(HEADER_SIZE - len(header))
            except TimedOut:
                self._check_deadline()
            except Malformed as malformed:
                raise EspError(FAIL) from malformed
        if len(header) < HEADER_SIZE:
            self._say("E", "Complete headers were not received")
            raise EspError(FAIL)
        return bytes(header)

    def _check(self, raw: bytes) -> None:
        """Chip id and revisions, before the first byte is written."""
        header, chip = Header.unpack(raw), self._board.chip.model
        if header.chip_id != chip.chip_id:
            self._board.say(f"E esp_ota_ops: mismatch chip ID, expected {chip.chip_id}, found {header.chip_id}")
            raise EspError(INVALID_VERSION)
        unset = header.max_revision in UNSET_REVISIONS
        if header.min_revision > chip.revision or (not unset and chip.revision > header.max_revision):
            self._board.say("E esp_ota_ops: chip revision check failed.")
            raise EspError(INVALID_VERSION)

    def _compare(self, raw: bytes) -> None:
        offset = esp_image.DESCRIPTION_OFFSET
        new = AppDescription.unpack(raw[offset : offset + esp_image.DESCRIPTION_SIZE])
        if new is None:
            self._say("E", "Incorrect app descriptor magic")
            raise EspError(FAIL)
        self._board.say(f"I app: New firmware version: {new.version}")
        own = esp_image.read_description(self._ota.read, self._ota.running.offset)
        if own is not None and own.version == new.version:
            self._board.say("W app: Current running version is the same as a new. We will not continue the update.")
            self._attempt.same_version = True
            raise EspError(FAIL)

    def _check_deadline(self) -> None:
        if self._until is not None and self._board.time >= self._until:
            self._board.say("E app: update took too long")
            raise EspError(FAIL)

    def _say(self, level: str, text: str) -> None:
        self._board.say(f"{level} esp_https_ota: {text}")
