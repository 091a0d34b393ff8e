"""esp_https_ota's requests: what is asked first, ranges and pieces, and what it makes of a status.

Facts: ESP-IDF's esp_https_ota.c, and formats/idf_client.py. What becomes of a body is in https_ota.py.
"""

from __future__ import annotations

from collections.abc import Generator

from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.idf_client import (
    HEAD_NOT_MODIFIED,
    KEEPS_THE_CONNECTION,
    LIMITS_AUTHORIZATION,
    NEEDS_CHALLENGE,
    NOT_MODIFIED,
    RANGE_WITHOUT_HEAD,
    REFUSES_CLIENT_ERRORS,
    REFUSES_ERRORS,
    RESUMES_BY_206_ALONE,
)
from rig.families.esp32.twin.app.esp_error import (
    FAIL,
    HTTP_NOT_MODIFIED,
    HTTP_RANGE_NOT_SATISFIABLE,
    EspError,
    name_of,
)
from rig.families.esp32.twin.app.http import Response
from rig.families.esp32.twin.app.http_client import HttpClient
from rig.families.esp32.twin.app.http_head import Malformed
from rig.families.esp32.twin.app.update_request import Attempt, Request
from rig.families.esp32.twin.steps import Board
from rig.twin.steps import Program, Step

MOST_AUTHORIZATIONS = 10
#: What the library has for a length that nobody told.
UNKNOWN_LENGTH = -1


class Fetch:
    """The requests of one update. `length` is the image's as it was told."""

    def __init__(self, board: Board, asked: Request, attempt: Attempt, release: Idf):
        """Raises EspError for an address that is none."""
        self.length = UNKNOWN_LENGTH
        self.resuming = asked.resumption
        self._board, self._asked, self._does = board, asked, release.does
        self._client = HttpClient(board, asked, attempt, release)
        self._authorizations = MOST_AUTHORIZATIONS

    def begin(self, written: int) -> Generator[Step, bool, tuple[Response, int]]:
        """The first answer to read, after `written` bytes; and after how many it goes on. Raises EspError."""
        if self._asked.partial is not None:
            yield from self._measure()
        self._client.range = self._first_range(written)
        try:
            response = yield from self._connect()
        except EspError as error:
            may_start_over = self.resuming if self._does(RESUMES_BY_206_ALONE) else written > 0
            if error.code != HTTP_RANGE_NOT_SATISFIABLE or not may_start_over:
                if error.code != HTTP_NOT_MODIFIED:
                    self._say("E", "Failed to establish HTTP connection")
                raise
            response, written = (yield from self._start_over(error)), 0
        if self._asked.partial is None:
            self.length = _length(response)
        return response, written

    def next_piece(self, written: int, before: Response) -> Generator[Step, bool, Response]:
        """The answer with what comes after `written` bytes; `before` is the one that came before. Raises EspError."""
        piece = self._asked.partial or 0
        keeps = self._does(KEEPS_THE_CONNECTION) and before.keeps_alive
        if not keeps:
            self._client.close()
        rest = self.length - written
        self._client.range = f"bytes={written}-{written + piece - 1}" if rest > piece else f"bytes={written}-"
        try:
            return (yield from self._connect(keeps))
        except EspError as error:
            self._say("E", "Failed to establish HTTP connection")
            raise EspError(FAIL) from error

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    # -- before the first piece --------------------------------------------------------------------------------------

    def _measure(self) -> Program:
        """Partial download asks for the length first: by HEAD, and newer releases else by a range of one byte."""
        self._client.method = "HEAD"
        response = yield from self._perform()
        status = response.head.status
        if status == 200:
            self.length = _length(response)
        elif status == 304 and self._does(HEAD_NOT_MODIFIED):
            raise EspError(HTTP_NOT_MODIFIED)
        elif self._does(RANGE_WITHOUT_HEAD):
            yield from self._measure_by_range()
        else:
            self._refuse_status(status)
        if self.length == UNKNOWN_LENGTH and self._does(RANGE_WITHOUT_HEAD):
            self._say("E", "Failed to get image length from http response")
            raise EspError(FAIL)
        self._client.close()
        self._client.method = "GET"

    def _measure_by_range(self) -> Program:
        self._client.method, self._client.range = "GET", "bytes=0-0"
        response = yield from self._perform()
        status = response.head.status
        if self._does(HEAD_NOT_MODIFIED):
            self._judge(response)
        if status not in (200, 206):
            self._refuse_status(status)
        self.length = _length(response) if status == 200 else _total(response)

    def _perform(self) -> Generator[Step, bool, Response]:
        try:
            return (yield from self._client.perform())
        except EspError as error:
            self._say("E", f"ESP HTTP client perform failed: {error.code}")
            raise

    def _first_range(self, written: int) -> str | None:
        piece, length = self._asked.partial, self.length
        if piece is None:
            asks = self.resuming if self._does(RESUMES_BY_206_ALONE) else written > 0
            return f"bytes={written}-" if asks else None
        end = written + piece - 1 if length > piece + written else length
        return f"bytes={written}-{end}" if end - written < length else None

    def _start_over(self, error: EspError) -> Generator[Step, bool, Response]:
        if self._does(RESUMES_BY_206_ALONE):
            self._say("E", f"OTA resumption failed with err: {error.code}.")
            self._say("I", "Falling back to OTA without resumption and restarting download from beginning")
            self._client.close()
        else:
            self._say("E", f"OTA resumption failed with err: {error.code}")
            self._say("I", "Restarting download from beginning")
        self.resuming = False
        piece = self._asked.partial
        self._client.range = None if piece is None or self.length <= piece else f"bytes=0-{piece - 1}"
        return (yield from self._connect())

    # -- requests and statuses ---------------------------------------------------------------------------------------

    def _connect(self, kept: bool = False) -> Generator[Step, bool, Response]:
        """Ask until there is an answer to read: redirects are followed, and a challenge is tried again.

        On a connection that was `kept` nothing is dialled any more.
        """
        while True:
            if not kept:
                try:
                    yield from self._client.connect()
                except EspError as error:
                    self._say("E", f"Failed to open HTTP connection: {name_of(error.code)}")
                    raise
            response = yield from self._client.ask()
            if not self._judge(response):
                return response
            yield from self._client.drain(response)

    def _judge(self, response: Response) -> bool:
        """What a status means; whether to ask again. Raises EspError."""
        status = response.head.status
        if status in self._client.redirects:
            try:
                self._client.redirect(response.head.headers.get("location"))
            except EspError:
                self._say("E", "URL redirection Failed")
                raise
            return True
        if status == 401:
            self._authorize(response)
            return True
        if self._does(NOT_MODIFIED) and status in (304, 416):
            if status == 304:
                self._say("I", f"OTA image not modified since last request (status code: {status})")
                raise EspError(HTTP_NOT_MODIFIED)
            self._say("I", f"Requested range is incorrect (status code: {status})")
            raise EspError(HTTP_RANGE_NOT_SATISFIABLE)
        self._refuse_errors(status)
        if self._does(RESUMES_BY_206_ALONE) and self.resuming and self._asked.partial is None and status != 206:
            self._say("W", "Server ignored the requested Range header")
            self._say("W", "OTA resumption requires server with range request support.")
            raise EspError(HTTP_RANGE_NOT_SATISFIABLE)
        return False

    def _authorize(self, response: Response) -> None:
        """401: it is tried again, some releases a limited number of times, newer ones only what may help."""
        if self._does(LIMITS_AUTHORIZATION):
            if not self._authorizations:
                self._say("E", "Reached max_authorization_retries (401)")
                raise EspError(FAIL)
            self._authorizations -= 1
        try:
            self._client.authorize(response.head)
        except EspError:
            if self._does(NEEDS_CHALLENGE):
                self._say("E", "Authorization Failed")
                raise

    def _refuse_errors(self, status: int) -> None:
        text = None
        if status in (403, 404) and self._does(REFUSES_ERRORS):
            text = f"File not found({status})"
        elif 400 <= status < 500 and self._does(REFUSES_CLIENT_ERRORS):
            text = f"Client error ({status})"
        elif status >= 500 and self._does(REFUSES_ERRORS):
            text = f"Server error ({status})"
        if text is not None:
            self._say("E", text)
            raise EspError(FAIL)

    def _refuse_status(self, status: int) -> None:
        self._say("E", f"Received incorrect http status {status}")
        raise EspError(FAIL)

    def _say(self, level: str, text: str) -> None:
        self._board.say(f"{level} esp_https_ota: {text}")


def _length(response: Response) -> int:
    try:
        length = response.head.length
    except Malformed as malformed:
        raise EspError(FAIL) from malformed
    return UNKNOWN_LENGTH if length is None else length


def _total(response: Response) -> int:
    try:
        return response.head.total or UNKNOWN_LENGTH
    except Malformed:
        return UNKNOWN_LENGTH
