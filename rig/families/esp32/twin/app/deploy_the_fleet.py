"""Deploy the Fleet's device libraries, release by release: what they do with their attempts, and what when one fails.

Facts: arduino_esp32_update at its tags and dtf_sdk, defects included; whom they trust where is in
rig.families.esp32.firmware.update_attempts. 1.x stands on Arduino's HTTPUpdate, 2.x and the SDK on esp_https_ota.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from rig.families.esp32.firmware.update_attempts import attempts_1, attempts_2
from rig.families.esp32.twin.app.arduino_update import Result, UpdateFailed, http_update
from rig.families.esp32.twin.app.connection import Security
from rig.families.esp32.twin.app.esp_error import (
    FAIL,
    HTTP_NOT_MODIFIED,
    INVALID_VERSION,
    OK,
    OTA_VALIDATE_FAILED,
    TLS_CANNOT_CREATE_SOCKET,
    TLS_CANNOT_RESOLVE,
    TLS_FAILED_CONNECT,
    TLS_HANDSHAKE_FAILED,
    TLS_TIMEOUT,
)
from rig.families.esp32.twin.app.https_ota import https_ota
from rig.families.esp32.twin.app.ota import Ota
from rig.families.esp32.twin.app.update_request import Attempt as Outcome
from rig.families.esp32.twin.app.update_request import Request
from rig.firmware.server_trust import Attempt
from rig.twin.steps import Step

#: Releases of 2.x and the SDK that do not know esp_https_ota's own error for 304.
KNOW_NO_NOT_MODIFIED = ("sdk-1.0.0", "2.0.0", "2.0.1")
SECONDS, BUFFER = 25.0, 2048

UNREACHABLE = (
    TLS_HANDSHAKE_FAILED,
    TLS_CANNOT_RESOLVE,
    TLS_CANNOT_CREATE_SOCKET,
    TLS_FAILED_CONNECT,
    TLS_TIMEOUT,
)
#: What 2.x tells its caller.
UNKNOWN_ERROR, FLASHED, INVALID_IMAGE, NO_UPDATE, CERTIFICATE_FAILED = -1, 0, 1, 4, 5

#: Whom the named certificates make one trust.
Trusting = Callable[[Sequence[str]], Security | None]


# -- 1.x -------------------------------------------------------------------------------------------------------------


def update_1(ota: Ota, library: str, url: str, version: str, trusting: Trusting) -> Generator[Step, bool, Result]:
    """One check of a release of 1.x: every failure, not only that of TLS, leads to the next attempt."""
    error: UpdateFailed | None = None
    for attempt in attempts_1(library, url):
        try:
            result = yield from http_update(ota, attempt.url, version, trusting(attempt.pins))
        except UpdateFailed as failure:
            error = failure
        else:
            return result
    ota.board.say(f"HTTP_UPDATE_FAILED {error}")
    return Result.FAILED


# -- 2.x and the SDK -------------------------------------------------------------------------------------------------


class Library2:
    """2.x and the SDK: one primary endpoint and one to fall back to. It lives as long as the application.

    The error of the last connection that failed is kept between checks, and cleared only when the library falls back:
    after both endpoints have failed once, the next refusal of a sound primary asks the other one again.
    """

    def __init__(self, ota: Ota, library: str, product: str, version: str, trusting: Trusting):
        self._ota, self._library, self._trusting = ota, library, trusting
        self._device = ota.board.chip.mac.hex()
        self._product, self._version = product, version
        self._tls_error = OK

    def check(self) -> Generator[Step, bool, int]:
        """One check; returns what the library tells its caller, FLASHED for an update that waits for a restart."""
        primary, failover = attempts_2(self._library, self._product, self._version, self._device)
        code, attempt = yield from self._ask(primary)
        falls_back = (TLS_HANDSHAKE_FAILED,) if self._library.startswith("sdk") else UNREACHABLE
        if code != OK and self._tls_error in falls_back:
            self._tls_error = OK
            code, attempt = yield from self._ask(failover)
        result = self._result(code, attempt)
        self._ota.board.event(f"dtf:{result}")
        return result

    def _ask(self, endpoint: Attempt) -> Generator[Step, bool, tuple[int, Outcome]]:
        headers = {}
        if not self._library.startswith("sdk"):
            headers = {"x-dtf-did": self._device, "x-dtf-p": self._product, "x-dtf-v": self._version}
        attempt = Outcome()
        trust, authorizes = self._trusting(endpoint.pins), self._ota.behaviour.challenges
        asked = Request(endpoint.url, trust, seconds=SECONDS, buffer=BUFFER, headers=headers, authorizes=authorizes)
        code = yield from https_ota(self._ota, asked, attempt)
        self._tls_error = attempt.tls_error or self._tls_error
        return code, attempt

    def _result(self, code: int, attempt: Outcome) -> int:
        """The library's table; the status it reads after a failure is of a client that was freed, and mostly still
        there (that is how 304 came through before it had an error of its own)."""
        say = self._ota.board.say
        if code == OK:
            say("I dtf_ota: Firmware update successful.")
            return FLASHED
        if code in (OTA_VALIDATE_FAILED, INVALID_VERSION):
            say("E dtf_ota: Firmware image validation failed.")
            return INVALID_IMAGE
        unknown = code != FAIL
        if code == HTTP_NOT_MODIFIED:
            unknown = self._library in KNOW_NO_NOT_MODIFIED
        if not unknown and (code == HTTP_NOT_MODIFIED or attempt.status in (204, 304)):
            say("I dtf_ota: No updates available")
            return NO_UPDATE
        if not unknown and self._tls_error == TLS_HANDSHAKE_FAILED:
            say("E dtf_ota: Cert validation failed")
            return CERTIFICATE_FAILED
        say(f"E dtf_ota: {'Unknown OTA error' if unknown else 'OTA Error'}: {code}")
        return UNKNOWN_ERROR
