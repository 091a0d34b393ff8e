"""esp_https_ota's requests: redirects, challenges, ranges and pieces, and what it makes of a status.

Facts: reference/esp32.md §6.1. What becomes of an answer's body is in https_ota.py.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

from rig.firmware.esp_behaviour import IDF_5_5, Release
from rig.twin.esp32.app.connection import ConnectionFailed, Security, TimedOut
from rig.twin.esp32.app.esp_error import (
    FAIL,
    HTTP_CONNECT,
    HTTP_EAGAIN,
    HTTP_NOT_MODIFIED,
    HTTP_RANGE_NOT_SATISFIABLE,
    HTTP_REDIRECT_DOWNGRADE,
    INVALID_ARG,
    EspError,
    name_of,
)
from rig.twin.esp32.app.http import Malformed, Response, Url, request
from rig.twin.esp32.steps import Board
from rig.twin.steps import Program, Step

USER_AGENT = "ESP32 HTTP Client/1.0"
MOST_REDIRECTS, MOST_AUTHORIZATIONS = 10, 10
REDIRECTS = (301, 302, 303, 307, 308)
DRAIN = 256


@dataclass(frozen=True, slots=True)
class Request:
    """What an application asks esp_https_ota for. `seconds` is the time-out of one socket operation, `buffer` bytes."""

    url: str
    trust: Security | None
    seconds: float = 5.0
    buffer: int = 1024
    headers: Mapping[str, str] = field(default_factory=dict)
    bulk_erase: bool = False
    #: Bytes a piece of a partial download has.
    partial: int | None = None
    resumption: bool = False
    #: The application's own limit of the whole download, in seconds.
    deadline: float | None = None
    #: The application looks at the version in the image before it begins; the library never does.
    compares_version: bool = False


@dataclass
class Attempt:
    """One update: what came of it besides its error."""

    #: ESP-TLS's error of the connection that failed last; 0 for none.
    tls_error: int = 0
    status: int = 0
    #: The image offered has the version that runs: the application left it at that.
    same_version: bool = False


class Fetch:
    """The requests of one update. `length` is the image's, once it is known."""

    def __init__(self, board: Board, asked: Request, attempt: Attempt, release: Release):
        """Raises EspError for an address that is none."""
        self.length: int | None = None
        self.resuming = asked.resumption
        self._board, self._asked, self._attempt, self._release = board, asked, attempt, release
        self._method = "GET"
        self._range: str | None = None
        self._authorizations = MOST_AUTHORIZATIONS
        self._redirects = 0
        try:
            self._url = Url.parse(asked.url)
        except Malformed as malformed:
            raise EspError(INVALID_ARG) from malformed

    def begin(self, written: int) -> Generator[Step, bool, tuple[Response, int]]:
        """The first answer to read, after `written` bytes; and after how many it goes on. Raises EspError."""
        if self._asked.partial is not None:
            yield from self._measure()
        self._range = self._first_range(written)
        try:
            response = yield from self._connect()
        except EspError as error:
            if error.code != HTTP_RANGE_NOT_SATISFIABLE or not self.resuming:
                if error.code != HTTP_NOT_MODIFIED:
                    self._say("E", "Failed to establish HTTP connection")
                raise
            response, written = (yield from self._start_over(error)), 0
        if self._asked.partial is None:
            self.length = _length(response)
        return response, written

    def next_piece(self, written: int) -> Generator[Step, bool, Response]:
        """The answer with what comes after `written` bytes, on a connection of its own. Raises EspError."""
        piece, length = self._asked.partial or 0, self.length or 0
        self._board.tcp.close()
        self._range = f"bytes={written}-{written + piece - 1}" if length - written > piece else f"bytes={written}-"
        try:
            return (yield from self._connect())
        except EspError as error:
            self._say("E", "Failed to establish HTTP connection")
            raise EspError(FAIL) from error

    def _measure(self) -> Program:
        """Partial download asks for the length first: by HEAD, or else by a range of one byte."""
        self._method = "HEAD"
        response = yield from self._perform()
        if response.head.status == 304 and self._release >= IDF_5_5:
            raise EspError(HTTP_NOT_MODIFIED)
        if response.head.status == 200:
            self.length = _length(response)
        else:
            self._method, self._range = "GET", "bytes=0-0"
            response = yield from self._perform()
            self._judge(response.head.status)
            if response.head.status == 206:
                self.length = _total(response)
            elif response.head.status == 200:
                self.length = _length(response)
            else:
                self._say("E", f"Received incorrect http status {response.head.status}")
                raise EspError(FAIL)
        if self.length is None:
            self._say("E", "Failed to get image length from http response")
            raise EspError(FAIL)
        self._method, self._range = "GET", None

    def _first_range(self, written: int) -> str | None:
        piece, length = self._asked.partial, self.length
        if piece is None:
            return f"bytes={written}-" if self.resuming else None
        assert length is not None
        end = written + piece - 1 if length > piece + written else length
        return f"bytes={written}-{end}" if end - written < length else None

    def _start_over(self, error: EspError) -> Generator[Step, bool, Response]:
        self._say("E", f"OTA resumption failed with err: {error.code}.")
        self._say("I", "Falling back to OTA without resumption and restarting download from beginning")
        self.resuming = False
        piece = self._asked.partial
        self._range = None if piece is None or (self.length or 0) <= piece else f"bytes=0-{piece - 1}"
        return (yield from self._connect())

    def _connect(self) -> Generator[Step, bool, Response]:
        """Ask until there is an answer to read: redirects are followed, and a challenge is tried again."""
        while True:
            response = yield from self._open()
            status = response.head.status
            try:
                again = self._judge(status)
                if status in REDIRECTS:
                    self._redirect(response.head.headers.get("location"))
                    yield from _drain(response)
            except EspError:
                response.close()
                raise
            if not again:
                return response
            response.close()

    def _perform(self) -> Generator[Step, bool, Response]:
        """esp_http_client_perform: redirects are followed, any other answer is taken as it is, and not read."""
        while True:
            response = yield from self._open()
            response.close()
            if response.head.status not in REDIRECTS:
                return response
            self._redirect(response.head.headers.get("location"))

    def _open(self) -> Generator[Step, bool, Response]:
        headers = {"User-Agent": USER_AGENT, "Host": self._url.authority, **self._asked.headers}
        if self._range is not None:
            headers["Range"] = self._range
        try:
            response: Response = yield from request(
                self._board, self._url, self._method, headers, self._asked.trust, self._asked.seconds
            )
        except ConnectionFailed as failure:
            self._attempt.tls_error = failure.code
            for line in failure.lines:
                self._board.say(line)
            self._board.say("E transport_base: Failed to open a new connection")
            self._board.say("E HTTP_CLIENT: Connection failed, sock < 0")
            self._say("E", f"Failed to open HTTP connection: {name_of(HTTP_CONNECT)}")
            raise EspError(HTTP_CONNECT) from failure
        except TimedOut as late:
            self._board.say("W HTTP_CLIENT: Connection timed out before data was ready!")
            raise EspError(HTTP_EAGAIN) from late
        except Malformed as malformed:
            raise EspError(FAIL) from malformed
        self._attempt.status = response.head.status
        return response

    def _judge(self, status: int) -> bool:
        """What a status means; whether to ask again. Raises EspError."""
        if status in REDIRECTS:
            return True
        if status == 304:
            if self._release < IDF_5_5:
                return False
            self._say("I", f"OTA image not modified since last request (status code: {status})")
            raise EspError(HTTP_NOT_MODIFIED)
        if status == 416:
            self._say("I", f"Requested range is incorrect (status code: {status})")
            raise EspError(HTTP_RANGE_NOT_SATISFIABLE)
        if status == 401:
            if not self._authorizations:
                self._say("E", f"Reached max_authorization_retries ({status})")
                raise EspError(FAIL)
            self._authorizations -= 1
            return True
        for known, text in ((status in (403, 404), "File not found"), (status >= 500, "Server error"),
                            (status >= 400, "Client error")):  # fmt: skip
            if known:
                self._say("E", f"{text}({status})" if status in (403, 404) else f"{text} ({status})")
                raise EspError(FAIL)
        if self.resuming and self._asked.partial is None and status != 206:
            self._say("W", "Server ignored the requested Range header")
            self._say("W", "OTA resumption requires server with range request support.")
            raise EspError(HTTP_RANGE_NOT_SATISFIABLE)
        return False

    def _redirect(self, location: str | None) -> None:
        self._redirects += 1
        if location is None or self._redirects > MOST_REDIRECTS:
            self._say("E", "URL redirection Failed")
            raise EspError(INVALID_ARG if location is None else FAIL)
        try:
            target = self._url.join(location)
        except Malformed as malformed:
            self._say("E", "URL redirection Failed")
            raise EspError(FAIL) from malformed
        if self._url.scheme == "https" and target.scheme != "https":
            self._say("E", "URL redirection Failed")
            raise EspError(HTTP_REDIRECT_DOWNGRADE)
        self._url = target

    def _say(self, level: str, text: str) -> None:
        self._board.say(f"{level} esp_https_ota: {text}")


def _length(response: Response) -> int | None:
    try:
        return response.head.length
    except Malformed as malformed:
        raise EspError(FAIL) from malformed


def _total(response: Response) -> int | None:
    try:
        return response.head.total
    except Malformed:
        return None


def _drain(response: Response) -> Program:
    """The rest of an answer that is not wanted, as far as it comes in time."""
    try:
        while (yield from response.read(DRAIN)):
            pass
    except (TimedOut, Malformed):
        return
