"""The dark dates of a plan: its files read, its endpoints looked at if wanted, every firmware's timeline, as data."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rig.errors import Misuse
from rig.firmware.manifest import Manifest
from rig.trust.look.refusal import Refusal
from rig.trust.shipped import PinFolder, Shipped, shipped
from rig.trust.timeline.course import Course
from rig.trust.timeline.lifetimes import ASKED
from rig.trust.timeline.live import Looked
from rig.trust.timeline.plan import Plan
from rig.trust.timeline.schedule import Chains, Schedule, Seen, answering, schedule
from rig.trust.timeline.timeline import FirmwareTimeline, Horizon, ServerTimeline, timeline

#: More than this nobody plans; it bounds the work.
FARTHEST = timedelta(days=50 * 366)


@dataclass(frozen=True, slots=True)
class DarkDates:
    """What came out: timelines, firmware that the plan knows no server of, and endpoints that could not be seen."""

    horizon: Horizon
    firmware: tuple[FirmwareTimeline, ...]
    left_out: tuple[str, ...]
    schedules: tuple[Schedule, ...]
    unseen: Mapping[str, str]
    #: Firmware that is known to be lost: its dates are told, and alarm nobody.
    written_off: tuple[str, ...] = ()

    def status(self, warn: int) -> int:
        """Exit status: 1 if firmware is dark today or will be within `warn` days, 3 if a server was not seen, or 0.

        Raises Misuse for more days than anybody plans.
        """
        if not 0 <= warn <= FARTHEST.days:
            raise Misuse(f"a warning {warn} days ahead", hint=f"{FARTHEST.days} at most")
        # What is later than all that was looked at is not known anyway.
        last = self.horizon.today + min(timedelta(days=warn), self.horizon.until - self.horizon.today)
        minded = [one for one in self.firmware if not self._is_written_off(one)]
        losses = [one.course.next_loss(self.horizon.today) for one in minded]
        if any(loss is not None and loss <= last for loss in losses):
            return 1
        return 3 if self.unseen else 0

    def _is_written_off(self, one: FirmwareTimeline) -> bool:
        """Of a group that is alike to servers, all must be: the others are still wanted."""
        return set(one.firmware.images) <= set(self.written_off)

    def renewals(self) -> list[dict[str, Any]]:
        """Of each endpoint that is renewed: how often until the end, as planned and with the lifetimes to come, and
        who could be darkened by each.
        """
        rows, known = [], set()
        for one in self.schedules:
            if (one.host, one.port) in known:  # another address of the same endpoint
                continue
            known.add((one.host, one.port))
            planned = one.renewals(self.horizon.today)
            if one.renewal is None or not planned:
                continue
            rows.append(
                {
                    "host": one.host,
                    "next": _iso(planned[0]),
                    "planned": len(planned),
                    **{str(days): one.renewal.count(days, planned[0], self.horizon.until) for days in ASKED},
                    "at_risk": [at.firmware.name for at in self.firmware if self._is_at_risk(at, one)],
                }
            )
        return rows

    def _is_at_risk(self, one: FirmwareTimeline, asked: Schedule) -> bool:
        at_risk = [server for server in one.servers if server.risks]
        return any(asked is there for one in at_risk for there in answering(self.schedules, one.host, one.port))

    def to_dict(self) -> dict[str, Any]:
        """All of it for JSON; times are UTC, days are ISO."""
        return {
            "today": f"{self.horizon.today:%Y-%m-%d}",
            "until": f"{self.horizon.until:%Y-%m-%d}",
            "firmware": [self._firmware(one) for one in self.firmware],
            "renewals": self.renewals(),
            "left_out": list(self.left_out),
            "unseen": dict(self.unseen),
        }

    def _firmware(self, one: FirmwareTimeline) -> dict[str, Any]:
        return {
            "name": one.firmware.name,
            "images": list(one.firmware.images),
            "checks_dates": one.firmware.trust.checks_dates,
            "written_off": self._is_written_off(one),
            **self._course(one.course),
            "at_risk": [_iso(time) for time in one.risks],
            "servers": [self._server(server) for server in one.servers],
        }

    def _server(self, server: ServerTimeline) -> dict[str, Any]:
        risks = [_iso(time) for time in server.risks]
        return {"host": server.name, **self._course(server.course), "at_risk": risks}

    def _course(self, course: Course) -> dict[str, Any]:
        """Days left count from today to the last day; 0 is today, None none or no end."""
        last, today = course.last_day, self.horizon.today.date()
        left = (last - today).days if last is not None and last >= today else None
        return {
            "now": str(course.at(self.horizon.today).state),
            "dark": _iso(course.dark),
            "ever_works": course.ever_works,
            "last_day": last.isoformat() if last is not None else None,
            "days_left": left,
            "why": course.why_dark,
            "gaps": [[_iso(begins), _iso(ends)] for begins, ends in course.gaps],
            "events": [{"at": _iso(span.begins), "state": str(span.state), "why": span.why} for span in course.spans],
        }


def dark_dates(
    plan: Plan,
    *,
    today: datetime,
    until: datetime,
    manifest: Path | None = None,
    pins: Path | None = None,
    seen: Mapping[str, Looked] | None = None,
    chains: Chains | None = None,
) -> DarkDates:
    """Judge all firmware of a manifest (else of the plan's) and of the plan itself; `chains` else of its authorities.

    What was `seen` at endpoints (`look`) takes the place of what was planned. Raises Misuse.
    """
    if not timedelta(0) < until - today <= FARTHEST:
        hint = "50 years at most" if until > today else "its end is to be after its beginning"
        raise Misuse(f"a timeline from {today:%Y-%m-%d} until {until:%Y-%m-%d}", hint=hint)
    times = [one.since for endpoint in plan.endpoint for one in endpoint.shows if one.since is not None]
    if times and until - min(times) > 2 * FARTHEST:
        raise Misuse(
            f"a timeline until {until:%Y-%m-%d} of a plan from {min(times):%Y-%m-%d} on", hint="100 years at most"
        )
    seen = seen or {}
    chains = chains or Chains(plan.authorities)
    schedules = [
        schedule(one, chains, until, address) for one in plan.endpoint for address in _seen(seen.get(one.name, ()))
    ]
    begins = [one.shown[0].begins for one in schedules if one.shown]
    if not begins:
        raise Misuse(f"no endpoint of the plan shows anything before {until:%Y-%m-%d}, the timeline's end")
    horizon = Horizon(min([today, *begins]), today, until)
    firmware = _firmware(plan, manifest)
    with tempfile.TemporaryDirectory(prefix="rig-pins-") as made:
        folder = pins or plan.pins
        if folder is None:
            chains.pki.publish(Path(made))
        pinned = PinFolder(folder or Path(made))
        found = [timeline(one, schedules, pinned, horizon, since) for one, since in firmware]
    if not any(one.is_planned for one in found):
        raise Misuse(f"the plan has none of the servers that {found[0].firmware.name} or other firmware asks")
    return DarkDates(
        horizon,
        tuple(one for one in found if one.is_planned),
        tuple(name for one in found if not one.is_planned for name in one.firmware.images),
        tuple(schedules),
        {name: text for name, looked in seen.items() if (text := _unseen(looked))},
        plan.written_off,
    )


def _seen(looked: Looked) -> list[Seen] | list[None]:
    """What was seen at each address; where nothing was, once nothing: all is as planned."""
    return [one for one in looked if isinstance(one, Seen)] or [None]


def _unseen(looked: Looked) -> str:
    return "; ".join(str(one) for one in looked if isinstance(one, Refusal))


def _firmware(plan: Plan, manifest: Path | None) -> list[tuple[Shipped, datetime | None]]:
    """Whom it is about, and since when each is in the field where that is told."""
    own = [(one.shipped, one.released) for one in plan.firmware]
    path = manifest or plan.manifest
    if plan.shipped and path is None:
        text = f"shipped names {min(plan.shipped)}, and there is no manifest that could have it"
        raise Misuse(text, hint="--manifest FILE, or manifest in the plan")
    listed = _listed(plan, path) if path is not None else []
    names = [name for one, _ in (*own, *listed) for name in one.images]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Misuse(f"firmware {twice[0]} is in the plan and in {path}")
    if not names:
        raise Misuse("there is no firmware that asks a server over TLS", hint="a manifest, or [[firmware]] in the plan")
    if unknown := [name for name in plan.written_off if name not in names]:
        raise Misuse(f"written_off names {unknown[0]}, which is no firmware of the plan or the manifest")
    return [*own, *listed]


def _listed(plan: Plan, path: Path) -> list[tuple[Shipped, datetime | None]]:
    """Of a manifest what the plan says was shipped, or all that asks over TLS."""
    every = shipped(Manifest.load(path))
    if not plan.shipped:
        return [(one, None) for one in every]
    if unknown := set(plan.shipped) - {name for one in every for name in one.images}:
        raise Misuse(f"shipped names {min(unknown)}, and {path} has no such image that asks over TLS")
    chosen = [(one, [name for name in one.images if name in plan.shipped]) for one in every]
    return [
        (replace(one, name=names[0], images=tuple(names)), min(plan.shipped[name] for name in names))
        for one, names in chosen
        if names
    ]


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")
