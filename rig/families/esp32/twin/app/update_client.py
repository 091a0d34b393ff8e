"""An application's look for updates: the client that its image has, and what a check comes to.

When to look is the application's business.
"""

from __future__ import annotations

import enum
from collections.abc import Generator, Sequence

from rig.families.esp32.twin.app.arduino_update import Result, UpdateFailed, http_update
from rig.families.esp32.twin.app.connection import Security
from rig.families.esp32.twin.app.deploy_the_fleet import FLASHED, NO_UPDATE, Library2, update_1
from rig.families.esp32.twin.app.esp_error import HTTP_NOT_MODIFIED, OK, OTA_VALIDATE_FAILED, name_of
from rig.families.esp32.twin.app.https_ota import https_ota
from rig.families.esp32.twin.app.ota import Ota
from rig.families.esp32.twin.app.pins import Clock, trusting
from rig.families.esp32.twin.app.update_request import Attempt, Request
from rig.families.esp32.twin.app.waiting import wait_until
from rig.twin.steps import Program, Step

#: Between two looks whether the time has come from the network; nothing limits how many.
TIME_SECONDS = 0.5


class CheckResult(enum.Enum):
    """What a look for updates came to."""

    FAILED = "failed"
    NO_UPDATE = "no-update"
    INSTALLED = "installed"


class UpdateClient:
    """The update client of the image, over one run of the application."""

    def __init__(self, ota: Ota, version: str):
        self._ota, self._behaviour, self._board = ota, ota.behaviour, ota.board
        self._version = version
        self._clock: Clock = lambda: ota.board.time
        self._library: Library2 | None = None

    def prepare(self) -> Program:
        """What is done once: set the clock, however long that takes."""
        if not self._behaviour.set_time:
            return
        answer = self._board.network_time()
        while (now := answer()) is None:
            yield from wait_until(self._board, self._board.time + TIME_SECONDS)
        ahead = now - self._board.time
        self._clock = lambda: self._board.time + ahead

    def check(self) -> Generator[Step, bool, CheckResult]:
        """Look for an update, and install it."""
        self._board.event("check")
        checks = {"https-ota": self._https_ota, "arduino": self._arduino, "deploy-the-fleet": self._deploy_the_fleet}
        checked = yield from checks[self._behaviour.client or "https-ota"]()
        self._board.event(f"checked:{checked.value}")
        return checked

    def _trusting(self, pins: Sequence[str]) -> Security | None:
        dates = self._clock if self._behaviour.checks_dates else None
        skip_name, build = self._behaviour.skip_name, self._behaviour.tls_build
        return trusting(self._board, pins, skip_name=skip_name, dates=dates, build=build)

    def _https_ota(self) -> Generator[Step, bool, CheckResult]:
        behaviour, attempt = self._behaviour, Attempt()
        asked = Request(
            behaviour.url or "",
            self._trusting(behaviour.pins),
            bulk_erase=behaviour.bulk_erase,
            partial=behaviour.partial,
            resumption=behaviour.resumption,
            deadline=behaviour.deadline,
            compares_version=behaviour.compares_version,
            authorizes=behaviour.challenges,
        )
        code = yield from https_ota(self._ota, asked, attempt)
        if code == OK:
            self._board.say("I app: ESP_HTTPS_OTA upgrade successful. Rebooting ...")
            return CheckResult.INSTALLED
        if code == HTTP_NOT_MODIFIED or attempt.same_version:
            return CheckResult.NO_UPDATE
        if code == OTA_VALIDATE_FAILED:
            self._board.say("E app: Image validation failed, image is corrupted")
        self._board.say(f"E app: ESP_HTTPS_OTA upgrade failed {name_of(code)}")
        return CheckResult.FAILED

    def _arduino(self) -> Generator[Step, bool, CheckResult]:
        behaviour = self._behaviour
        try:
            result = yield from http_update(
                self._ota, behaviour.url or "", self._version, self._trusting(behaviour.pins)
            )
        except UpdateFailed as failure:
            self._board.say(f"HTTP_UPDATE_FAILED {failure}")
            return CheckResult.FAILED
        return self._check_result(result)

    def _deploy_the_fleet(self) -> Generator[Step, bool, CheckResult]:
        behaviour = self._behaviour
        release = behaviour.fleet_release or ""
        if release.startswith("1."):
            url = behaviour.url or ""
            return self._check_result((yield from update_1(self._ota, release, url, self._version, self._trusting)))
        if self._library is None:
            self._library = Library2(self._ota, release, behaviour.product or "", self._version, self._trusting)
        outcome = yield from self._library.check()
        return {FLASHED: CheckResult.INSTALLED, NO_UPDATE: CheckResult.NO_UPDATE}.get(outcome, CheckResult.FAILED)

    def _check_result(self, result: Result) -> CheckResult:
        if result is Result.OK:
            self._board.say("HTTP_UPDATE_OK")
            return CheckResult.INSTALLED
        if result is Result.NO_UPDATES:
            self._board.say("HTTP_UPDATE_NO_UPDATES")
            return CheckResult.NO_UPDATE
        return CheckResult.FAILED
