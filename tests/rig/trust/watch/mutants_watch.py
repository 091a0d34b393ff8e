"""Planted faults of the watch."""

from __future__ import annotations

import asyncio
import secrets

from rig.trust.look import busy_aware_timeout, dialling
from rig.trust.look.busy_aware_timeout import BusyAwareTimeout
from rig.trust.look.offer import Offer
from rig.trust.watch import judge as watch_judge
from rig.trust.watch import memory as watch_memory
from rig.trust.watch import scanner as watch_scanner
from rig.trust.watch import watch
from rig.trust.watch.channel import WebhookChannel
from rig.trust.watch.delivery import Deliveries
from rig.trust.watch.firmware import Fleet
from rig.trust.watch.judge import Judge
from rig.trust.watch.look import Look
from rig.trust.watch.scanner import Scanner
from rig.trust.watch.state import Outbox, WatchState
from tests.rig.trust.watch import checks_watch as check
from tests.rig.trust.watch import test_load as of_load

REAL_RECONCILE, REAL_ENDS = watch_memory.reconcile, Judge._ends
REAL_COUNT = BusyAwareTimeout._count
REAL_LOOK, REAL_VERDICTS, REAL_SEND = Scanner.look, Fleet.verdicts, WebhookChannel.send


LOOKING: list[Scanner] = []


def _without_a_past(memory, *rest):
    return REAL_RECONCILE(memory.model_copy(update={"facts": {}}), *rest)


def _all_is_over(memory, facts, changes, at, _is_unseen):
    return REAL_RECONCILE(memory, facts, changes, at, lambda _address: False)


def _nothing_is_over(*words):
    memory, alerts = REAL_RECONCILE(*words)
    return memory, [alert for alert in alerts if alert.status != "resolved"]


async def _only_if_the_first_answers(scanner, endpoint, at):
    look = await REAL_LOOK(scanner, endpoint, at)
    first = next(iter(endpoint.addresses))
    return Look(at, {}, dict.fromkeys(endpoint.addresses, "down")) if first in look.unseen else look


def _the_first_only(fleet, endpoint, shown, at):
    return REAL_VERDICTS(fleet, endpoint, dict(list(shown.items())[:1]), at)


def _the_leaf_only(judge, endpoint, chain, at):
    leaf = chain[0].fingerprint(chain[0].signature_hash_algorithm).hex()
    return [fact for fact in REAL_ENDS(judge, endpoint, chain, at) if fact.about == leaf]


async def _one_after_another(deliveries):
    for channel in deliveries._channels:
        await deliveries._empty(channel)
        if deliveries._box(channel).queue:
            return


async def _written_down_first(deliveries, channel, box):
    alert = box.queue[0]
    deliveries._state.delivered(channel.name, alert.alert)
    await channel.send(alert)
    return True


async def _with_a_new_id(channel, alert):
    await REAL_SEND(channel, alert.model_copy(update={"alert": secrets.token_hex(12)}))


async def _one_at_a_time(scanner, endpoint, at):
    while scanner in LOOKING:
        await asyncio.sleep(0.01)
    LOOKING.append(scanner)
    try:
        return await REAL_LOOK(scanner, endpoint, at)
    finally:
        LOOKING.remove(scanner)


def _by_the_clock(timeout):
    timeout._spent += max(busy_aware_timeout._now() - timeout._due, 0)
    REAL_COUNT(timeout)


def _as_if_seen(verdict, _look, _before):
    return "all" if not verdict.refused else "some" if verdict.accepted else "none"


def _drop(box, alert, _retry_at):
    box.take(alert)


MUTANTS = {
    "watch: it forgets its state": (
        lambda m: m.setattr(WatchState, "_replay", lambda _state, _line: None),
        check.what_was_told_is_not_told_again,
    ),
    "watch: it forgets what was shown": (
        lambda m: m.setattr(WatchState, "_replay", lambda _state, _line: None),
        check.a_change_between_two_runs_is_told,
    ),
    "watch: it tells twice": (
        lambda m: m.setattr(watch, "reconcile", _without_a_past),
        check.what_was_told_is_not_told_again,
    ),
    "watch: it never tells that something is over": (
        lambda m: m.setattr(watch, "reconcile", _nothing_is_over),
        check.what_is_over_is_told_once,
    ),
    "watch: what is not seen is over": (
        lambda m: m.setattr(watch, "reconcile", _all_is_over),
        check.what_an_address_showed_is_not_over_because_it_is_down,
    ),
    "watch: it is silent when the first address fails": (
        lambda m: m.setattr(Scanner, "look", _only_if_the_first_answers),
        check.a_change_is_seen_although_the_first_address_is_down,
    ),
    "watch: it judges the first address only": (
        lambda m: m.setattr(Fleet, "verdicts", _the_first_only),
        check.one_address_is_enough_for_a_refusal,
    ),
    "watch: it drops alerts when the webhook is down": (
        lambda m: m.setattr(Outbox, "postpone", _drop),
        check.what_a_dead_webhook_missed_comes_later,
    ),
    "watch: channels wait for one another": (
        lambda m: m.setattr(Deliveries, "drain", _one_after_another),
        check.a_dead_webhook_does_not_delay_the_command,
    ),
    "watch: it writes down before it delivers": (
        lambda m: m.setattr(Deliveries, "_deliver", _written_down_first),
        check.an_alert_in_flight_at_a_death_comes_again,
    ),
    "watch: each try has an id of its own": (
        lambda m: m.setattr(WebhookChannel, "send", _with_a_new_id),
        check.a_repeat_has_the_id_of_the_first,
    ),
    "watch: it judges the dates of the leaf only": (
        lambda m: m.setattr(Judge, "_ends", _the_leaf_only),
        check.the_end_of_the_intermediate_that_firmware_pins_is_told,
    ),
    "watch: it looks as a browser does": (
        lambda m: m.setattr(watch_scanner, "ESP32", Offer()),
        check.what_an_esp32_cannot_speak_is_refused,
    ),
    "watch: it blocks on one slow endpoint": (
        lambda m: m.setattr(Scanner, "look", _one_at_a_time),
        check.a_slow_endpoint_blocks_no_other,
    ),
    "watch: the clock's time is the endpoint's": (
        lambda m: m.setattr(BusyAwareTimeout, "_count", _by_the_clock),
        of_load.test_who_answers_while_this_machine_is_late_is_seen,
    ),
    "watch: a look that was too late is an answer": (
        lambda m: m.setattr(BusyAwareTimeout, "is_lost", False),
        lambda _folder: of_load.test_a_look_that_was_too_late_is_no_answer(),
    ),
    "watch: load is told as an end": (
        lambda m: m.setattr(BusyAwareTimeout, "is_lost", False),
        of_load.test_on_a_busy_machine_nothing_is_told,
    ),
    "watch: whoever hangs up is to blame": (
        lambda m: m.setattr(BusyAwareTimeout, "is_late", False),
        lambda _folder: of_load.test_who_hangs_up_on_a_late_look_is_not_to_blame(),
    ),
    "watch: its own want of files is the other's": (
        lambda m: m.setattr(dialling, "_OURS", frozenset()),
        lambda _folder: of_load.test_a_machine_out_of_files_cannot_look(),
    ),
    "watch: one silence is an end": (
        lambda m: m.setattr(watch_scanner, "PATIENCE", (1.0,)),
        of_load.test_who_answers_at_the_third_look_is_not_gone,
    ),
    "watch: no silence is an end": (
        lambda m: m.setattr(watch_scanner, "MOST_LOOKS", 2),
        lambda _folder: of_load.test_who_answers_no_look_is_gone(),
    ),
    "watch: what was not looked at is refused": (
        lambda m: m.setattr(watch_judge, "_accepted", _as_if_seen),
        of_load.test_an_address_that_was_not_looked_at_is_not_lost_to_firmware,
    ),
}
