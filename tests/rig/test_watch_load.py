"""Load makes no fact: a watch on a machine that is too busy says that it could not look, and nothing of servers."""

from __future__ import annotations

import asyncio
import time

import checks_load as check
import pytest
from watch_lab import HOST, fresh_lab, issued

from rig.trust.look.served import fetch
from rig.trust.watch.fact import FactKind
from rig.trust.watch.look import Look, Shown

lab = fresh_lab

CHECKS = (
    check.who_answers_while_this_machine_is_late_is_seen,
    check.a_look_that_was_too_late_is_no_answer,
    check.who_hangs_up_on_a_late_look_is_not_to_blame,
    check.a_machine_out_of_files_cannot_look,
    check.who_answers_at_the_third_look_is_not_gone,
    check.who_answers_no_look_is_gone,
    check.on_a_busy_machine_nothing_is_told,
    check.an_address_that_was_not_looked_at_is_not_lost_to_firmware,
)


@pytest.mark.parametrize("named", CHECKS, ids=lambda one: one.__name__)
def test_of_a_busy_machine(named, tmp_path):
    named(tmp_path)


def test_a_loop_that_stands_still_for_longer_than_a_look_lasts_sees_it_all_the_same(lab):
    """For real, and not by a clock: the endpoint's bytes wait in the socket meanwhile."""
    port = int(lab.serve().rpartition(":")[2])

    async def act():
        for moment in range(2):
            asyncio.get_running_loop().call_later(0.001 + moment * 0.01, time.sleep, 0.6)
        return await fetch(("127.0.0.1", port), HOST, seconds=0.5)

    assert asyncio.run(act()).completed


def everything_lost(lab):
    async def look(_endpoint, at):
        return Look(at, lost=dict.fromkeys(lab.addresses, "too busy"))

    return look


@pytest.mark.parametrize("case", ["unreachable", "refused", "disagreeing", "its name lost"])
def test_what_was_told_is_neither_over_nor_told_again_by_a_look_that_was_lost(lab, case):
    lab.serve()
    lab.serve(at="127.0.0.2")
    lab.round()
    if case == "unreachable":
        lab.stop(lab.addresses[0])
    else:
        lab.show(issued(under="lets-encrypt-r10"), *lab.addresses[: 1 if case == "disagreeing" else 2])
    lab.round()

    async def name_lost(_endpoint, at):
        return Look(at, lost={HOST: "too busy"})

    with lab.state() as state:
        before = state.memory(f"{HOST}:443")
    assert before.facts
    assert check.told_of(lab, name_lost if case == "its name lost" else everything_lost(lab)) == []
    with lab.state() as state:
        after = state.memory(f"{HOST}:443")
    assert (after.facts, after.missed, after.shown, after.is_answering) == (
        before.facts, before.missed, before.shown, before.is_answering,
    )  # fmt: skip
    assert after.lost == before.lost + 1
    lab.receiver.take()
    assert lab.told_in_a_round() == []


def test_an_address_beside_one_that_was_lost_is_judged(lab):
    lab.serve()
    lab.serve(at="127.0.0.2")
    lab.round()
    first, second = lab.addresses

    async def half(_endpoint, at):
        return Look(at, {first: Shown(issued(days=89).chain)}, lost={second: "too busy"})

    assert check.told_of(lab, half) == [f"happened {FactKind.IDENTITY_CHANGED} info"]
