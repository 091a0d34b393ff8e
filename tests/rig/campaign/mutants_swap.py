"""Planted faults of swaps under boards: of the player, of what servers saw of a board, of devices and their clocks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

from rig.boards import server_log
from rig.campaign import swap
from rig.drivers import control_client
from rig.drivers.https_cloud import HttpsCloudClient
from rig.families.esp32.boards import servers
from rig.families.esp32.campaign import scenario_setup as esp32_setup
from rig.families.esp32.twin.app import deploy_the_fleet, update_client
from rig.families.spark_core.campaign import scenario_setup as core_setup
from rig.formats import sntp
from rig.servers.https import control as https_control
from rig.twin import network_time
from tests.rig.campaign import checks_scenario_setups
from tests.rig.campaign import checks_swap as check
from tests.rig.campaign.checks_swap import of_a_scenario
from tests.rig.twin import test_network_time as of_time

REAL_PLAY, REAL_PLAYED, REAL_SWAP_WHEN, REAL_OBSERVED = swap.play, swap.ScenarioResult, swap._swap_when, swap.observed
REAL_WITHDRAW = HttpsCloudClient.withdraw_release
REAL_TRUSTING, REAL_ATTEMPTS = update_client.trusting, deploy_the_fleet.attempts_1


# -- the player, and what servers saw ----------------------------------------------------------------------------------


def _believing(m, **told):
    m.setattr(swap, "ScenarioResult", lambda *played: replace(REAL_PLAYED(*played), **told))


class _WithoutAWayBack:
    def __init__(self, setup):
        self._stage, self._was_shown = setup, False

    def __getattr__(self, name):
        return getattr(self._stage, name)

    def show(self, scenario, *, after):
        if not after and self._was_shown:
            return {}
        self._was_shown = True
        return self._stage.show(scenario, after=after)


def _by_failures_alone(seen):
    return swap.Expected(swap.Reach.DARK if seen.failures else swap.Reach.SERVED, seen.failures)


def _at_the_first_host(seen):
    found = REAL_OBSERVED(seen)
    return replace(found, host=str(seen.handshakes[0]["host"])) if found.host else found


def _at_once(scenario, setup, change):
    return REAL_SWAP_WHEN(scenario.model_copy(update={"when": "idle"}), setup, change)


def _over_when_it_is_quiet(setup, seen):
    return (time.monotonic_ns() - seen.last_ns) / 1e9 > setup._board.timing.between_attempts


PLAYER = {
    "swap: what servers show is not looked at": (
        lambda m: m.setattr(swap, "_reached", lambda seen, _shown: swap.observed(seen)),
        check.a_swap_that_did_not_take_place_proves_nothing,
    ),
    "swap: a cable is told where there was none": (
        lambda m: _believing(m, route="cable"),
        check.how_a_board_was_brought_back_is_told_as_it_happened,
    ),
    "swap: nobody looks whether firmware runs on": (
        lambda m: _believing(m, runs_on=True),
        check.a_board_that_starts_something_else_does_not_run_on,
    ),
    "swap: that an update came is believed": (
        lambda m: _believing(m, updated=True),
        check.an_update_that_does_not_come_is_not_told,
    ),
    "swap: the way back is forgotten": (
        lambda m: m.setattr(swap, "play", lambda scenario, setup: REAL_PLAY(scenario, _WithoutAWayBack(setup))),
        of_a_scenario(check.REFUSED),
    ),
    "swap: who was refused once is dark": (
        lambda m: m.setattr(swap, "observed", _by_failures_alone),
        of_a_scenario("both-public-roots-lost", "fleet-2.0.2"),
    ),
    "swap: whoever was asked first has served": (
        lambda m: m.setattr(swap, "observed", _at_the_first_host),
        of_a_scenario("both-public-roots-lost", "fleet-2.0.2"),
    ),
    "swap: it comes when nothing is on its way": (
        lambda m: m.setattr(swap, "_swap_when", _at_once),
        of_a_scenario("swapped-in-the-middle-of-a-download"),
    ),
    "swap: another board's handshakes count": (
        lambda m: m.setattr(servers.Servers, "_is_mine", lambda _self, event, _seen: event["event"] == "handshake"),
        check.another_boards_failures_are_not_its_own,
    ),
    "swap: what becomes of a request of before counts": (
        lambda m: m.setattr(
            control_client.Subscription, "since_ns", property(lambda _told: 0, lambda _told, _at: None), raising=False
        ),
        check.what_becomes_of_a_request_of_before_is_not_the_next_starts,
    ),
    "swap: a board that runs is offered what is for its next start": (
        lambda m: m.setattr(checks_scenario_setups.StillRuns, "power_off", lambda _stage: None),
        checks_scenario_setups.what_is_for_the_next_start_is_not_offered_to_a_board_that_runs,
    ),
    "swap: only the last body that left counts": (
        lambda m: m.setattr(
            server_log.ServerLog, "whole", property(lambda seen: {seen.sent}, lambda _seen, _value: None)
        ),
        check.what_an_updated_board_asks_next_hides_no_image_that_left,
    ),
    "swap: a look ends before the board looks": (
        lambda m: m.setattr(esp32_setup.Esp32ScenarioSetup, "_is_over", _over_when_it_is_quiet),
        checks_scenario_setups.a_look_lasts_until_the_board_has_looked,
    ),
    "swap: what servers tell later than the console counts as lost": (
        lambda m: m.setattr(esp32_setup.Esp32ScenarioSetup, "_comes_to_run", _looking_once),
        checks_scenario_setups.a_board_may_be_told_of_before_its_servers_tell,
    ),
    "swap: an image that came is offered on": (
        lambda m: m.setattr(esp32_setup.Esp32ScenarioSetup, "_comes_to_run", _offering_on),
        checks_scenario_setups.an_image_that_came_is_offered_no_longer,
    ),
    "swap: a download that was given up is none": (
        lambda m: m.setattr(esp32_setup, "STARTS", 1),
        checks_scenario_setups.a_download_that_was_given_up_is_begun_anew,
    ),
    "swap: a Core has a time to try in": (
        lambda m: m.setattr(core_setup, "TRIES_AT_ALL", 0.0),
        checks_scenario_setups.a_core_is_waited_for_until_it_has_tried,
    ),
    "swap: where a cut of a download fell is not looked at": (
        lambda m: m.setattr(esp32_setup.Esp32ScenarioSetup, "cut_fetch", lambda setup: setup.power_off()),
        checks_scenario_setups.a_cut_that_came_too_late_is_made_again,
    ),
    "swap: a transfer has a fixed time": (
        lambda m: m.setattr(core_setup.CoreScenarioSetup, "_is_through", lambda _stage, _over: lambda: True),
        checks_scenario_setups.a_transfer_is_let_come_to_its_end,
    ),
    "swap: releases outlive their offer": (
        lambda m: m.setattr(HttpsCloudClient, "withdraw_release", _withdrawing_nothing()),
        check.a_release_ends_with_its_offer,
    ),
    "update server: nobody is served while a key is made": (
        lambda m: m.setattr(https_control, "asyncio", _InTheLoop()),
        check.whoever_has_an_identity_made_holds_nobody_up,
    ),
}


def _looking_once(setup, image, seen):
    return setup._board.log.version() == image.version and len(image) in seen.whole


def _offering_on(setup, image, seen):
    setup._let_it_look()
    return _looking_once(setup, image, seen)


def _withdrawing_nothing():
    """The first to withdraw a release withdraws none."""
    asked = []

    def withdraw(client, **of):
        asked.append(of)
        return REAL_WITHDRAW(client, **of) if len(asked) > 1 else []

    return withdraw


class _InTheLoop:
    """asyncio, but what is to run on a thread runs where everything else does."""

    def __getattr__(self, name):
        return getattr(asyncio, name)

    async def to_thread(self, do, *how):
        return do(*how)


# -- devices -----------------------------------------------------------------------------------------------------------


def _trusting(m, **how):
    m.setattr(update_client, "trusting", lambda *whom, **told: REAL_TRUSTING(*whom, **{**told, **how}))


def _anybody_on_the_shelf(board, _pins, **how):
    return REAL_TRUSTING(board, ("rig-root", "other-root"), **how)


class _Whatever(dict):
    """One answer to every question."""

    def get(self, _question, _else=None):
        return next(iter(self.values()), None)


def _any_answer(device, data, _addr):
    now = sntp.read_reply(data)
    if now is not None:
        device._answers = _Whatever({b"": now})


DEVICES = {
    "device: it takes a certificate for another name": (
        lambda m: _trusting(m, skip_name=True),
        of_a_scenario("for-another-name"),
    ),
    "device: it takes whoever anybody pins": (
        lambda m: m.setattr(update_client, "trusting", _anybody_on_the_shelf),
        of_a_scenario(check.REFUSED),
    ),
    "device: it looks at dates that it does not know": (
        lambda m: _trusting(m, dates=lambda: datetime.now(UTC).timestamp()),
        of_a_scenario("the-certificate-has-ended"),
    ),
    "device: it never learns the time": (
        lambda m: m.setattr(update_client.UpdateClient, "prepare", lambda _self: iter(())),
        of_a_scenario("the-clock-is-ten-years-on", "dates"),
    ),
    "device: it asks the failover host though nothing failed": (
        lambda m: m.setattr(deploy_the_fleet, "attempts_1", lambda *release: REAL_ATTEMPTS(*release)[::-1]),
        of_a_scenario("only-the-failover-host-moved", "fleet-1.0.7"),
    ),
    "device: it never asks the failover host": (
        lambda m: m.setattr(deploy_the_fleet, "attempts_1", lambda *release: REAL_ATTEMPTS(*release)[:-1]),
        of_a_scenario("both-public-roots-lost", "fleet-1.0.7"),
    ),
    "device: any answer tells the time": (
        lambda m: m.setattr(network_time.NetworkTime, "datagram_received", _any_answer),
        lambda _folder: of_time.test_an_answer_from_before_a_restart_is_nobodys(),
    ),
}

MUTANTS = PLAYER | DEVICES
