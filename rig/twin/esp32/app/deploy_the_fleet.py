"""Deploy the Fleet's device libraries, release by release: whom they trust, where they ask, what they do on failure.

Facts: reference/esp32.md §7.1 and §7.3, defects included. 1.x stands on Arduino's HTTPUpdate, 2.x and the SDK on
esp_https_ota.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from rig.firmware.esp_behaviour import BUNDLE
from rig.twin.esp32.app.arduino_update import Result, UpdateFailed, http_update
from rig.twin.esp32.app.connection import TrustFor
from rig.twin.esp32.app.esp_error import (
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
from rig.twin.esp32.app.fetch import Attempt, Request
from rig.twin.esp32.app.https_ota import https_ota
from rig.twin.esp32.app.ota import Ota
from rig.twin.steps import Step

#: Names of the certificates that the releases have compiled in.
LE_X3, DST_X3, LE_R3 = "lets-encrypt-x3", "dst-root-ca-x3", "lets-encrypt-r3"
ISRG_X1, CLOUDFLARE, DTF_X1 = "isrg-root-x1", "cloudflare-origin-ca", "dtf-root-x1"

#: One pin an attempt; the third goes to another host.
PINS_1 = {
    "1.0.0": (LE_X3,),
    "1.0.1": (DST_X3,),
    "1.0.2": (LE_R3,),
    "1.0.3": (LE_R3,),
    "1.0.4": (LE_R3,),
    "1.0.5": (ISRG_X1, CLOUDFLARE),
    "1.0.6": (ISRG_X1, CLOUDFLARE),
    "1.0.7": (ISRG_X1, CLOUDFLARE, DTF_X1),
    "1.0.8": (ISRG_X1, CLOUDFLARE, DTF_X1),
}
#: Which bundle of certificates a device has, as it tells the server.
BUNDLE_ID_1, BUNDLE_ID_SDK = 1, 2
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
Trusting = Callable[[Sequence[str]], TrustFor | None]


# -- 1.x -------------------------------------------------------------------------------------------------------------


def attempts_1(library: str, url: str) -> list[tuple[str, str]]:
    """The attempts of a release of 1.x, in order: the pin, and the address it asks.

    1.0.7 makes an address with its bundle's id and then asks the caller's own, except at the last attempt.
    """
    pins = PINS_1[library]
    told = f"{url}{'&' if '?' in url else '?'}cb={BUNDLE_ID_1}"
    usual = told if library == "1.0.8" else url
    return [(pin, told.replace("ota.", "ota9.") if pin == DTF_X1 else usual) for pin in pins]


def update_1(ota: Ota, library: str, url: str, version: str, trusting: Trusting) -> Generator[Step, bool, Result]:
    """One check of a release of 1.x: every failure, not only that of TLS, leads to the next attempt."""
    error: UpdateFailed | None = None
    for pin, address in attempts_1(library, url):
        try:
            result = yield from http_update(ota, address, version, trusting((pin,)))
        except UpdateFailed as failure:
            error = failure
        else:
            return result
    ota.board.say(f"HTTP_UPDATE_FAILED {error}")
    return Result.FAILED


# -- 2.x and the SDK -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where 2.x and the SDK ask, and whom they trust there."""

    url: str
    pins: tuple[str, ...]


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
        primary, failover = self._endpoints()
        code, attempt = yield from self._ask(primary)
        falls_back = (TLS_HANDSHAKE_FAILED,) if self._library.startswith("sdk") else UNREACHABLE
        if code != OK and self._tls_error in falls_back:
            self._tls_error = OK
            code, attempt = yield from self._ask(failover)
        result = self._result(code, attempt)
        self._ota.board.event(f"dtf:{result}")
        return result

    def _endpoints(self) -> tuple[Endpoint, Endpoint]:
        if self._library.startswith("sdk"):
            query = f"{self._product}?v={self._version}&did={self._device}&cb={BUNDLE_ID_SDK}"
            pins = (BUNDLE, DTF_X1)
            return (
                Endpoint(f"https://ota.deploythefleet.io/{query}", pins),
                Endpoint(f"https://ota9.deploythefleet.io/{query}", pins),
            )
        return (
            Endpoint("https://ota2.deploythefleet.com/update", (BUNDLE,)),
            Endpoint("https://ota4.deploythefleet.com/update", (DTF_X1,)),
        )

    def _ask(self, endpoint: Endpoint) -> Generator[Step, bool, tuple[int, Attempt]]:
        headers = {}
        if not self._library.startswith("sdk"):
            headers = {"x-dtf-did": self._device, "x-dtf-p": self._product, "x-dtf-v": self._version}
        attempt = Attempt()
        trust = self._trusting(endpoint.pins)
        asked = Request(endpoint.url, trust, seconds=SECONDS, buffer=BUFFER, headers=headers)
        code = yield from https_ota(self._ota, asked, attempt)
        self._tls_error = attempt.tls_error or self._tls_error
        return code, attempt

    def _result(self, code: int, attempt: Attempt) -> int:
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
