"""esp_http_client: requests to one address after the other, on one connection as long as host and port stay the same.

Redirects, challenges and their limits as each release of ESP-IDF has them (rig.families.esp32.formats.idf_client).
"""

from __future__ import annotations

from collections.abc import Generator

from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.idf_client import (
    COUNTS_ANEW,
    ENDS_BY_CLOSE_NOTIFY,
    FOLLOWS_303_AND_308,
    FOLLOWS_307,
    LIMITS_CHALLENGES,
    NEEDS_CHALLENGE,
    ONLY_TO_HTTPS,
    TELLS_SILENCE,
)
from rig.families.esp32.twin.app.connection import Connection, ConnectionFailed, TimedOut
from rig.families.esp32.twin.app.esp_error import (
    FAIL,
    HTTP_CONNECT,
    HTTP_EAGAIN,
    HTTP_FETCH_HEADER,
    HTTP_INCOMPLETE_DATA,
    HTTP_MAX_REDIRECT,
    HTTP_READ_TIMEOUT,
    HTTP_REDIRECT_DOWNGRADE,
    HTTP_WRITE_DATA,
    INVALID_ARG,
    NOT_SUPPORTED,
    EspError,
)
from rig.families.esp32.twin.app.http import Response, dial, exchange, write_head
from rig.families.esp32.twin.app.http_head import Head, Malformed, Url
from rig.families.esp32.twin.app.update_request import Attempt, Request
from rig.families.esp32.twin.steps import Board
from rig.twin.steps import Program, Step

USER_AGENT = "ESP32 HTTP Client/1.0"
#: Redirects and challenges, counted together: esp_http_client_perform follows no more, and no more challenges are
#: answered. Redirects of who reads by himself are counted too, but have no limit.
MOST_REDIRECTS = 10
DRAIN = 256


class HttpClient:
    """One client; `method` and `range` are those of the next request."""

    def __init__(self, board: Board, asked: Request, attempt: Attempt, release: Idf):
        """Raises EspError for an address that is none."""
        self.method = "GET"
        self.range: str | None = None
        self.redirects = {301, 302}
        self.redirects |= {307} if release.does(FOLLOWS_307) else set()
        self.redirects |= {303, 308} if release.does(FOLLOWS_303_AND_308) else set()
        self._board, self._asked, self._attempt, self._release = board, asked, attempt, release
        self._connection: Connection | None = None
        self._followed = 0
        try:
            self.url = Url.parse(asked.url)
        except Malformed as malformed:
            raise EspError(INVALID_ARG) from malformed
        self._host = self.url.authority

    # -- a request and its answer ------------------------------------------------------------------------------------

    def connect(self) -> Program:
        """Connect, if it is not connected. Raises EspError."""
        if self._connection is not None:
            return
        try:
            self._connection = yield from dial(self._board, self.url, self._asked.trust, self._asked.seconds)
        except ConnectionFailed as failure:
            self._attempt.tls_error = failure.code
            for line in (*failure.lines, "E transport_base: Failed to open a new connection"):
                self._board.say(line)
            self._say("E", "Connection failed, sock < 0")
            raise EspError(HTTP_CONNECT) from failure

    def ask(self) -> Generator[Step, bool, Response]:
        """Send the request on the connection, whether the server is still there or not; the head of its answer.

        Raises EspError.
        """
        if self._connection is None:
            self._say("E", "Error write request")
            raise EspError(HTTP_WRITE_DATA)
        headers = {"User-Agent": USER_AGENT, "Host": self._host, **self._asked.headers}
        if self.range is not None:
            headers["Range"] = self.range
        try:
            response: Response = yield from exchange(
                self._board, self._connection, write_head(self.method, self.url, headers),
                expects_body=self.method != "HEAD", ends_by_close_notify=self._release.does(ENDS_BY_CLOSE_NOTIFY),
            )  # fmt: skip
        except TimedOut as late:
            if not self._release.does(TELLS_SILENCE):
                raise EspError(FAIL) from late
            self._say("W", "Connection timed out before data was ready!")
            raise EspError(-HTTP_EAGAIN) from late
        except Malformed as malformed:
            raise EspError(FAIL) from malformed
        self._attempt.status = response.head.status
        return response

    def perform(self) -> Generator[Step, bool, Response]:
        """esp_http_client_perform: redirects and challenges are followed, bodies read and dropped. Raises EspError."""
        while True:
            yield from self.connect()
            try:
                response = yield from self.ask()
            except EspError as error:
                raise EspError(HTTP_EAGAIN if error.code == -HTTP_EAGAIN else HTTP_FETCH_HEADER) from error
            try:
                again = self._check(response.head)
            except EspError:
                self._say("E", "Error response")
                raise
            yield from self._drop(response)
            if not response.keeps_alive:
                self.close()
            if not again:
                return response

    def drain(self, response: Response) -> Program:
        """Read what is left of an answer that is not wanted, as far as it comes in time."""
        if self._connection is None:
            return
        try:
            while (yield from response.read(DRAIN)):
                pass
        except (TimedOut, Malformed):
            return

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- where else to ask -------------------------------------------------------------------------------------------

    def redirect(self, location: str | None) -> None:
        """esp_http_client_set_redirection: the next request goes there. Raises EspError."""
        if location is None:
            raise EspError(INVALID_ARG)
        if self._release.does(ONLY_TO_HTTPS) and self.url.scheme == "https" and location[:8].lower() != "https://":
            self._say(
                "E",
                f"HTTPS origin can only redirect to https:// targets (got {location}). "
                "Set disable_auto_redirect and handle manually if intended.",
            )
            raise EspError(HTTP_REDIRECT_DOWNGRADE)
        try:
            target = self.url.redirected(location)
        except Malformed as malformed:
            self._say("E", f"Error parse url {location}")
            raise EspError(INVALID_ARG) from malformed
        if target.host != self.url.host:
            self._host = target.host
        if (target.host, target.port) != (self.url.host, self.url.port):
            self.close()
        self.url = target
        self._followed += 1

    def authorize(self, head: Head) -> None:
        """esp_http_client_add_auth: whether the challenge is one that can be answered. Raises EspError.

        An application that has no name to tell asks as before.
        """
        if self._release.does(LIMITS_CHALLENGES) and self._followed >= MOST_REDIRECTS:
            self._say("E", f"Error, reached max_authorization_retries count={self._followed}")
            raise EspError(FAIL)
        challenge = head.headers.get("www-authenticate")
        if challenge is None:
            self._say("W", "This request requires authentication, but does not provide header information for that")
            raise EspError(NOT_SUPPORTED)
        self._followed += 1
        if challenge.partition(" ")[0].lower() not in self._asked.authorizes:
            self._say("E", f"This authentication method is not supported: {challenge}")
            raise EspError(NOT_SUPPORTED)

    # -- within ------------------------------------------------------------------------------------------------------

    def _check(self, head: Head) -> bool:
        """What esp_http_client_perform makes of a status; whether to ask again. Raises EspError."""
        if 200 <= head.status < 300:
            if self._release.does(COUNTS_ANEW):
                self._followed = 0
            return False
        if self._followed >= MOST_REDIRECTS:
            self._say("E", f"Error, reach max_redirection_count count={self._followed}")
            raise EspError(HTTP_MAX_REDIRECT)
        if head.status in self.redirects:
            try:
                self.redirect(head.headers.get("location"))
            except EspError as error:
                raise EspError(error.code if error.code == HTTP_REDIRECT_DOWNGRADE else FAIL) from error
            return True
        if head.status == 401:
            try:
                self.authorize(head)
            except EspError:
                if self._release.does(NEEDS_CHALLENGE):
                    raise
                return False
            return True
        return False

    def _drop(self, response: Response) -> Program:
        """Read an answer to its end. Raises EspError where it has none."""
        try:
            while self._connection is not None and (yield from response.read(DRAIN)):
                pass
        except TimedOut as late:
            raise EspError(HTTP_READ_TIMEOUT) from late
        except Malformed as malformed:
            raise EspError(HTTP_INCOMPLETE_DATA) from malformed
        if self._connection is not None and not response.complete:
            raise EspError(HTTP_INCOMPLETE_DATA)

    def _say(self, level: str, text: str) -> None:
        self._board.say(f"{level} HTTP_CLIENT: {text}")
