"""Planted faults of the timeline: one of its rules is broken each time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rig.firmware.server_trust import ServerTrust
from rig.trust import shipped
from rig.trust.look.offer import Offer
from rig.trust.timeline import course, dark_dates, live, schedule, timeline
from tests.rig.trust.timeline import checks_timeline as check
from tests.rig.trust.timeline.timeline_bench import day

REAL_REFUSES, REAL_OVER_TLS = shipped.Shipped.refuses, ServerTrust.over_tls.fget
REAL_INSTANTS, REAL_ENTRY = timeline.instants, schedule._entry


def _first_loss(self):
    return next((span.begins for span in self.spans if not span.state.works), None)


def _worst(courses):
    """Of who can choose, the first that is lost."""
    return min(courses, key=lambda one: one.dark or day("2999-01-01"))


def _leaves_alone(asked, pinned):
    shown = tuple(replace(one, chain=one.chain[:1]) for one in asked.shown)
    return REAL_INSTANTS(replace(asked, shown=shown), pinned)


def _by_dates(self, *told):
    return REAL_REFUSES(replace(self, trust=replace(self.trust, checks_dates=True)), *told)


def _first_attempt(self):
    known = REAL_OVER_TLS(self)
    return replace(known, attempts=known.attempts[:1])


def _first_image(self, one):
    return one.firmware.name in self.written_off


def _in_the_plans_order(schedules, host, port):
    return [one for one in schedules if one.host == host and one.port in (None, port)][:1]


MUTANTS = {
    "timeline: dates are checked for a device that does not": (
        lambda m: m.setattr(shipped.Shipped, "refuses", _by_dates),
        check.devices_without_dates_go_on,
    ),
    "timeline: the second attempt is forgotten": (
        lambda m: m.setattr(ServerTrust, "over_tls", property(_first_attempt)),
        check.the_second_attempt_counts,
    ),
    "timeline: the last server is taken for the first": (
        lambda m: m.setattr(timeline, "best", _worst),
        check.the_last_server_is_the_last,
    ),
    "timeline: expiry is off by one": (
        lambda m: m.setattr(timeline, "SECOND", timedelta(0)),
        check.a_certificate_is_valid_in_its_last_second,
    ),
    "timeline: the end of what is behind the leaf is not looked at": (
        lambda m: m.setattr(timeline, "instants", _leaves_alone),
        check.the_end_of_a_cross_sign_counts,
    ),
    "timeline: the first loss is taken for the last": (
        lambda m: m.setattr(course.Course, "dark", property(_first_loss)),
        check.a_gap_is_not_the_end,
    ),
    "timeline: a renewal leaves the dates": (
        lambda m: m.setattr(schedule, "renewed", lambda chain, _begins, _ends: chain),
        check.renewals_prolong,
    ),
    "timeline: a change of issuer comes at once": (
        lambda m: m.setattr(schedule, "_entry", lambda told: replace(REAL_ENTRY(told), at_renewal=False)),
        check.a_new_issuer_comes_with_a_renewal,
    ),
    "timeline: a device has room for any chain": (
        lambda m: m.setattr(shipped, "LONGEST_CHAIN", 10**9),
        check.a_chain_that_a_device_has_no_room_for_darkens_it,
    ),
    "timeline: a group is written off with its first image": (
        lambda m: m.setattr(dark_dates.DarkDates, "_is_written_off", _first_image),
        check.half_a_group_that_is_written_off_alarms,
    ),
    "timeline: an endpoint of any port comes first": (
        lambda m: m.setattr(timeline, "answering", _in_the_plans_order),
        check.the_endpoint_of_the_very_port_answers,
    ),
    "timeline: a look offers all that there is": (
        lambda m: m.setattr(live, "ESP32", Offer()),
        check.of_a_look("shut out"),
    ),
    "timeline: the first address is taken for all": (
        lambda m: m.setattr(timeline, "worst", lambda courses: courses[0]),
        check.of_a_look("another at the second address"),
    ),
    "timeline: an intermediate is taken for a root": (
        lambda m: m.setattr(timeline.RootPins, "certificates", lambda self, names: self._all.certificates(names)),
        check.an_intermediate_is_a_risk,
    ),
}
