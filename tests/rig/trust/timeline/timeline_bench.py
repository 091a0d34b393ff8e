"""Plans in a few words: endpoints under stand-ins for public authorities, firmware by its behaviour, days as text."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path

from rig.trust.shipped import PinFolder
from rig.trust.timeline.dark_dates import DarkDates, dark_dates
from rig.trust.timeline.plan import FieldFirmware, Plan
from rig.trust.timeline.schedule import Chains, Schedule, schedule
from rig.trust.timeline.timeline import FirmwareTimeline, Horizon, timeline
from rig.trust.web_pki import WebPki

HOST, OWN_HOST = "ota.rig.test", "ota9.rig.test"


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Goes when the tests end."""
    return tempfile.TemporaryDirectory(prefix="rig-timeline-")


@cache
def pki() -> WebPki:
    """The authorities of all tests, kept: to make them takes seconds."""
    kept = WebPki.in_folder(Path(_folder().name))
    kept.publish(Path(_folder().name))
    return kept


@cache
def pins() -> PinFolder:
    pki()
    return PinFolder(Path(_folder().name))


class TheseChains(Chains):
    """Issues under the authorities of all tests."""

    @cached_property
    def pki(self) -> WebPki:
        return pki()


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shows(since: str, under: str, *, later: bool = False, **recipe) -> dict:
    """From a day, or `later`: from the first renewal after it."""
    takes = "at-renewal" if later else "at-once"
    return {"from": since, "takes_effect": takes, "recipe": {"under": under, **recipe}}


def library(release: str) -> FieldFirmware:
    """Firmware with a release of Deploy the Fleet's library 1.x."""
    url = f"https://{HOST}/lamp"
    told = {"client": "deploy-the-fleet", "fleet_release": release, "url": url}
    return FieldFirmware.model_validate({"name": f"lib-{release}", "esp32": told})


def device(*pinned: str, dates: bool = False) -> FieldFirmware:
    """Firmware that trusts these, and looks at dates or does not."""
    url = f"https://{HOST}/app.bin"
    told = {"client": "https-ota", "url": url, "pins": pinned, "checks_dates": dates}
    return FieldFirmware.model_validate({"name": "device", "esp32": told})


def schedules(endpoints: list[dict], until: str) -> list[Schedule]:
    plan = Plan.model_validate({"endpoint": endpoints})
    return [schedule(one, TheseChains(), day(until)) for one in plan.endpoint]


def judged(
    firmware: FieldFirmware, *endpoints: dict, today: str = "2020-01-01", until: str = "2030-01-01"
) -> FirmwareTimeline:
    """How firmware stands with endpoints, from the first thing that is planned on."""
    asked = schedules(list(endpoints), until)
    since = min(day(today), *(one.shown[0].begins for one in asked))
    return timeline(firmware.shipped, asked, pins(), Horizon(since, day(today), day(until)))


def found(plan: dict, today: str = "2026-01-01", until: str = "2030-01-01", **how) -> DarkDates:
    told = {"pins": pins().folder, **plan}
    return dark_dates(Plan.model_validate(told), today=day(today), until=day(until), chains=TheseChains(), **how)
