"""esp_https_ota: an image fetched over HTTPS and written as it comes, with each release's order, refusals and hazards.

Facts: ESP-IDF's esp_https_ota.c, and formats/idf_client.py. Requests are in fetch.py, flash work in ota.py, the
one call of 3.3 in https_ota_3_3.py; when to check is the application's.
"""

from __future__ import annotations

from collections.abc import Generator

from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.chip import revision_name
from rig.families.esp32.formats.header import UNSET_REVISIONS, Header
from rig.families.esp32.formats.idf_client import (
    BULK_ERASES_THE_LENGTH,
    CALL_TELLS_WHY,
    CHECKS_REVISION,
    CHECKS_SPI_MODE,
    ERASES_AS_IT_WRITES,
    HEADER_OF_1024,
    LOSES_ERROR_OF_CHOICE,
    NEEDS_DESCRIPTION,
    READS_HEADER,
    READS_STATUS,
    REFUSES_AS_BOOT_COMM,
    TELLS_LABEL,
)
from rig.families.esp32.formats.image import AppDescription
from rig.families.esp32.formats.partition_table import Partition
from rig.families.esp32.twin.app.connection import TimedOut
from rig.families.esp32.twin.app.esp_error import (
    FAIL,
    INVALID_ARG,
    INVALID_VERSION,
    OK,
    OTA_SPI_MODE_MISMATCH,
    EspError,
    name_of,
)
from rig.families.esp32.twin.app.fetch import Fetch
from rig.families.esp32.twin.app.http import Response
from rig.families.esp32.twin.app.http_head import Malformed
from rig.families.esp32.twin.app.https_ota_3_3 import https_ota_3_3
from rig.families.esp32.twin.app.ota import SEQUENTIAL, Erase, Ota, Update
from rig.families.esp32.twin.app.resume_counter import ResumeCounter
from rig.families.esp32.twin.app.update_request import Attempt, Request
from rig.twin.steps import Program, Step

#: Read before anything is written: image header, first segment's header and application description lie in it.
HEADER_SIZE, EARLY_HEADER_SIZE = 1024, 289
#: Subtypes of OTA slots count from here.
FIRST_SLOT = 0x10


def https_ota(ota: Ota, asked: Request, attempt: Attempt) -> Generator[Step, bool, int]:
    """One update up to the choice of the new slot; returns the esp_err_t, and tells `attempt` more."""
    try:
        if ota.release.does(READS_STATUS):
            yield from _Download(ota, asked, attempt).run()
        else:
            yield from https_ota_3_3(ota, asked, attempt)
    except EspError as error:
        return error.code
    return OK


class _Download:
    def __init__(self, ota: Ota, asked: Request, attempt: Attempt):
        self._ota, self._asked, self._attempt = ota, asked, attempt
        self._board, self._does = ota.board, ota.release.does
        self._until = None if asked.deadline is None else ota.board.time + asked.deadline
        self._header_size = HEADER_SIZE if self._does(HEADER_OF_1024) else EARLY_HEADER_SIZE
        self._counter: ResumeCounter | None = None

    def run(self) -> Program:
        """Raises EspError."""
        target = self._ota.next_slot()
        written = 0
        if self._asked.resumption:
            self._counter = ResumeCounter(self._ota, target.offset)
            written = self._counter.value if self._counter.value >= HEADER_SIZE else 0
        try:
            response, written = yield from self._begin(written)
        except EspError as error:
            if self._asked.in_one_call and not self._does(CALL_TELLS_WHY):
                raise EspError(FAIL) from error
            raise
        self._say("I", "Starting OTA...")
        self._say("I", f"Writing to {self._place(target)} at offset 0x{target.offset:x}")
        try:
            is_whole = yield from self._take(response, target, written)
        except EspError:
            self._fetch.close()
            raise
        self._fetch.close()
        if is_whole:
            yield from self._choose(target)

    # -- before the image --------------------------------------------------------------------------------------------

    def _begin(self, written: int) -> Generator[Step, bool, tuple[Response, int]]:
        if self._asked.trust is None:
            self._say("E", "No option for server verification is enabled in esp_http_client config.")
            raise EspError(INVALID_ARG)
        self._fetch = Fetch(self._board, self._asked, self._attempt, self._ota.release)
        try:
            return (yield from self._fetch.begin(written))
        except EspError:
            self._fetch.close()
            raise

    def _place(self, target: Partition) -> str:
        if self._does(TELLS_LABEL):
            return f"<{target.label}> partition"
        return f"partition subtype {FIRST_SLOT + (target.slot or 0)}"

    # -- the image ---------------------------------------------------------------------------------------------------

    def _take(self, response: Response, target: Partition, written: int) -> Generator[Step, bool, bool]:
        """Write what comes into `target`, and verify it; whether the library takes it for all of the image.

        With `written` the image was begun before.
        """
        header = b""
        if self._asked.compares_version:
            header = b"" if written else (yield from self._header(response))
            self._compare(header or self._ota.read(target.offset, HEADER_SIZE))
        update = yield from self._open(target, written)
        if not written:
            if self._does(READS_HEADER):
                header = header or (yield from self._header(response))
                self._check(header)
                self._check_spi_mode(header)
            yield from self._write(update, header)
        yield from self._pieces(response, update)
        is_whole = self._asked.partial is None or update.written == self._fetch.length
        if not is_whole and not self._asked.in_one_call:
            self._board.say("E app: Complete data was not received.")
            raise EspError(FAIL)
        if self._counter is not None:
            yield from self._counter.store(0)
        update.end()
        return is_whole

    def _open(self, target: Partition, written: int) -> Generator[Step, bool, Update]:
        """esp_ota_begin, or esp_ota_resume after `written` bytes."""
        needs = self._fetch.length if self._does(BULK_ERASES_THE_LENGTH) else 0
        erases_before = self._asked.bulk_erase or not self._does(ERASES_AS_IT_WRITES)
        erase = Erase(max(needs, 0)) if erases_before else SEQUENTIAL
        try:
            if written:
                return self._ota.resume(target, erase, written)
            return (yield from self._ota.begin(target, erase))
        except EspError as error:
            self._say("E", f"esp_ota_{'resume' if written else 'begin'} failed ({name_of(error.code)})")
            raise

    def _pieces(self, response: Response, update: Update) -> Program:
        """This answer's body, and of a partial download those that follow."""
        yield from self._rest(response, update)
        while self._asked.partial is not None and self._fetch.length > update.written:
            response = yield from self._fetch.next_piece(update.written, response)
            yield from self._rest(response, update)

    def _rest(self, response: Response, update: Update) -> Program:
        """Everything that an answer still brings; a server that says nothing is waited for."""
        size = max(self._asked.buffer, self._header_size)
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
            self._say("E", f"data read -1, errno {self._hung_up(response)}")
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
        while len(header) < self._header_size and not response.exhausted:
            try:
                header += yield from response.read(self._header_size - len(header))
            except TimedOut:
                self._check_deadline()
            except Malformed as malformed:
                raise EspError(FAIL) from malformed
        if len(header) < self._header_size:
            if not response.complete:
                self._say("E", f"Connection closed, errno = {self._hung_up(response)}")
            self._say("E", "Complete headers were not received")
            raise EspError(FAIL)
        return bytes(header)

    def _hung_up(self, response: Response) -> int:
        """The socket's error of a server that left early; told where there is one."""
        errno = response.ending.errno if response.ending is not None else 0
        if errno:
            self._board.say(f"W HTTP_CLIENT: esp_transport_read returned:-1 and errno:{errno} ")
        return errno

    def _check(self, raw: bytes) -> None:
        """Chip id and revisions, before the first byte is written."""
        header, chip = Header.unpack(raw), self._board.chip.model
        if header.chip_id != chip.chip_id:
            if self._does(REFUSES_AS_BOOT_COMM):
                self._board.say(f"E boot_comm: mismatch chip ID, expected {chip.chip_id}, found {header.chip_id}")
            else:
                self._say("E", f"Mismatch chip id, expected {chip.chip_id}, found {header.chip_id}")
            raise EspError(INVALID_VERSION)
        if not self._does(CHECKS_REVISION):
            return
        low, high = header.min_revision, header.max_revision
        limits = [(">=", low, low <= chip.revision)]
        if high not in UNSET_REVISIONS:
            limits.append(("<=", high, chip.revision <= high))
        for relation, wanted, is_met in limits:
            if not is_met:
                needs = f"Required {relation} {revision_name(wanted)}, found {revision_name(chip.revision)}."
                self._board.say(f"E boot_comm: chip revision check failed. {needs}")
                raise EspError(INVALID_VERSION)

    def _check_spi_mode(self, raw: bytes) -> None:
        """An image for another SPI mode would not find its second stage as it needs it; older ones tell no mode."""
        if not self._does(CHECKS_SPI_MODE):
            return
        own, new = esp_image.read_description(self._ota.read, self._ota.running.offset), _description(raw)
        if own is None or new is None or 0 in (own.spi_mode, new.spi_mode) or own.spi_mode == new.spi_mode:
            return
        modes = f"running app has mode {own.spi_mode}, new app has mode {new.spi_mode}"
        self._board.say(f"E esp_ota_ops: SPI flash mode mismatch: {modes}")
        raise EspError(OTA_SPI_MODE_MISMATCH)

    def _compare(self, raw: bytes) -> None:
        new = _description(raw)
        if new is None:
            if not self._does(NEEDS_DESCRIPTION):
                return
            self._say("E", "Incorrect app descriptor magic")
            raise EspError(FAIL)
        self._board.say(f"I app: New firmware version: {new.version}")
        own = esp_image.read_description(self._ota.read, self._ota.running.offset)
        if own is not None and own.version == new.version:
            self._board.say("W app: Current running version is the same as a new. We will not continue the update.")
            self._attempt.same_version = True
            raise EspError(FAIL)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _choose(self, target: Partition) -> Program:
        try:
            yield from self._ota.set_boot(target)
        except EspError as error:
            self._say("E", f"esp_ota_set_boot_partition failed! err=0x{error.code:x}")
            if not self._does(LOSES_ERROR_OF_CHOICE):
                raise

    def _check_deadline(self) -> None:
        if self._until is not None and self._board.time >= self._until:
            self._board.say("E app: update took too long")
            raise EspError(FAIL)

    def _say(self, level: str, text: str) -> None:
        self._board.say(f"{level} esp_https_ota: {text}")


def _description(header: bytes) -> AppDescription | None:
    """What the image says of itself whose first bytes these are."""
    offset = esp_image.DESCRIPTION_OFFSET
    return AppDescription.unpack(header[offset : offset + esp_image.DESCRIPTION_SIZE])
