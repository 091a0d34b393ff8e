"""Dark dates: when firmware in the field loses each of its servers, and the last one. Computed, with no clock.

Trust is judged at every time at which it can change (a chain is shown, a certificate begins or ends), so dates are
exact to the second. What firmware refuses is `rig.trust.shipped`'s matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from cryptography import x509

from rig.firmware.server_trust import Attempt
from rig.ports import format_address
from rig.trust.shipped import PinFolder, Shipped
from rig.trust.timeline.course import SECOND, Course, Span, State, best, course, worst
from rig.trust.timeline.refusal_reasons import refusal_reasons
from rig.trust.timeline.schedule import Schedule, Shown, answering

HTTPS = 443


@dataclass(frozen=True, slots=True)
class Horizon:
    """From when until when is looked (not included), and which day it is: what was before is known, not at risk."""

    since: datetime
    today: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ServerTimeline:
    """How one firmware and one server stand: the best of all attempts there; `risks` are renewals that may end it."""

    host: str
    course: Course
    risks: tuple[datetime, ...]
    port: int = HTTPS

    @property
    def name(self) -> str:
        """What it is called: its host, and its port where it is not the usual one."""
        return self.host if self.port == HTTPS else format_address(self.host, self.port)


@dataclass(frozen=True, slots=True)
class FirmwareTimeline:
    """How one firmware stands: `course` is that of the last server it has left."""

    firmware: Shipped
    servers: tuple[ServerTimeline, ...]
    course: Course
    risks: tuple[datetime, ...]

    @property
    def is_planned(self) -> bool:
        """Whether the plan knows any of its servers."""
        return any(span.state is not State.UNPLANNED for server in self.servers for span in server.course.spans)


def timeline(
    firmware: Shipped,
    schedules: Sequence[Schedule],
    pins: PinFolder,
    horizon: Horizon,
    released: datetime | None = None,
) -> FirmwareTimeline:
    """How firmware stands with all its servers, from its release on. Raises Misuse for a pin without a file."""
    by_server: dict[tuple[str, int], list[tuple[Sequence[Schedule], Course]]] = {}
    for attempt in firmware.attempts:
        asked = answering(schedules, attempt.host, attempt.port)
        found = _attempt_course(firmware, attempt, asked, pins, horizon)
        tried = (asked, found if released is None else found.since(released))
        by_server.setdefault((attempt.host.lower(), attempt.port), []).append(tried)
    servers = [_server(host, port, tried, horizon) for (host, port), tried in by_server.items()]
    whole = servers[0].course if len(servers) == 1 else best([_named(server) for server in servers])
    risks = {time for server in servers for time in server.risks if whole.at(time).state is State.AT_RISK}
    return FirmwareTimeline(firmware, tuple(servers), whole, tuple(sorted(risks)))


def _named(server: ServerTimeline) -> Course:
    """Its course, each reason with its name."""
    spans = [(span, (f"{server.name}: {span.why}",) if span.facts else ()) for span in server.course.spans]
    return Course(tuple(Span(span.begins, span.ends, span.state, facts) for span, facts in spans))


def _server(
    host: str, port: int, tried: Sequence[tuple[Sequence[Schedule], Course]], horizon: Horizon
) -> ServerTimeline:
    whole = best([found for _, found in tried])
    renewals = {time for asked, _ in tried for one in asked for time in one.renewals(horizon.today)}
    risks = (time for time in sorted(renewals) if time < horizon.until and whole.at(time).state is State.AT_RISK)
    return ServerTimeline(host, whole, tuple(risks), port)


def _attempt_course(
    firmware: Shipped, attempt: Attempt, asked: Sequence[Schedule], pins: PinFolder, horizon: Horizon
) -> Course:
    """Nobody knows which of several addresses a device meets: it counts as lost where it is lost at one."""
    if not asked:
        unknown = f"the plan has no endpoint {attempt.host}"
        return Course((Span(horizon.since, horizon.until, State.UNPLANNED, (unknown,)),))
    courses = [_address_course(firmware, attempt, one, pins, horizon) for one in asked]
    if courses.count(courses[0]) == len(courses):
        return courses[0]
    return worst([_placed(found, one.address) for one, found in zip(asked, courses, strict=True)])


def _placed(found: Course, address: str) -> Course:
    """Its facts with the address at which they hold."""
    spans = [replace(span, facts=tuple(f"{fact} at {address}" for fact in span.facts)) for span in found.spans]
    return Course(tuple(spans))


def _address_course(firmware: Shipped, attempt: Attempt, asked: Schedule, pins: PinFolder, horizon: Horizon) -> Course:
    spans = []
    times = [horizon.since, *instants(asked, pins.certificates(attempt.pins)), horizon.until]
    times = sorted({min(max(time, horizon.since), horizon.until) for time in times})
    for begins, ends in pairwise(times):
        state, facts = _judge(firmware, attempt, asked.at(begins), pins, begins, horizon.today)
        spans.append(Span(begins, ends, state, facts))
    return course(spans)


def instants(asked: Schedule, pinned: Sequence[x509.Certificate]) -> set[datetime]:
    """Every time at which trust in an endpoint can change; a certificate is valid in the second of its end."""
    times = {one.begins for one in asked.shown}
    for certificate in {id(one): one for shown in asked.shown for one in shown.chain}.values():
        times |= {certificate.not_valid_before_utc, certificate.not_valid_after_utc + SECOND}
    for certificate in pinned:
        times |= {certificate.not_valid_before_utc, certificate.not_valid_after_utc + SECOND}
    return times


def _judge(
    firmware: Shipped, attempt: Attempt, shown: Shown | None, pins: PinFolder, at: datetime, today: datetime
) -> tuple[State, tuple[str, ...]]:
    if shown is None:
        return State.UNPLANNED, (f"{attempt.host} is planned later",)
    if not shown.chain:
        return State.REFUSED, (f"{attempt.host} is switched off",)
    if shown.shut_out:
        return State.REFUSED, (f"it shares no TLS version or suite with an ESP32 ({shown.shut_out})",)
    refusal = firmware.refuses(attempt, shown.chain, pins, at)
    if refusal is not None:
        return State.REFUSED, refusal_reasons(firmware, attempt, shown.chain, pins, at, refusal)
    if shown.begins >= today and _could_be_lost(firmware, attempt, shown, pins, at):
        return State.AT_RISK, ("lost if the next one is issued under another intermediate",)
    return State.TRUSTED, ()


def _could_be_lost(firmware: Shipped, attempt: Attempt, shown: Shown, pins: PinFolder, at: datetime) -> bool:
    """Whether the authority, issuing this chain another way, makes the firmware refuse it."""
    if shown.rivals is None:
        return firmware.refuses(attempt, shown.chain, RootPins(pins), at) is not None
    return any(firmware.refuses(attempt, rival, pins, at) is not None for rival in shown.rivals)


class RootPins(PinFolder):
    """Of pins only the roots: what is left when an authority changes its intermediates."""

    def __init__(self, pins: PinFolder):
        super().__init__(pins.folder)
        self._all = pins

    def certificates(self, names: Sequence[str]) -> tuple[x509.Certificate, ...]:
        """Those of all that these names stand for that nobody else issued."""
        return tuple(one for one in self._all.certificates(names) if one.subject == one.issuer)
