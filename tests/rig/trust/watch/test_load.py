"""Load makes no fact: a watch on a machine that is too busy says that it could not look, and nothing of servers.

The machine's load is a clock that leaps at each look at it: the event loop came round, so much later than it should.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from rig.trust.look import busy_aware_timeout, dialling
from rig.trust.look.refusal import Refusal
from rig.trust.look.served import fetch
from rig.trust.watch.config import WatchedEndpoint, read_watch_config
from rig.trust.watch.fact import FactKind
from rig.trust.watch.look import Look, Shown
from rig.trust.watch.scanner import Scanner
from rig.trust.watch.watch import Watch
from tests.rig.trust.tls_servers import LOOPBACK, talking
from tests.rig.trust.watch.watch_lab import HOST, TODAY, fresh_lab, issued, watch_lab

lab = fresh_lab


@contextmanager
def late_by(seconds: float):
    """Each beat comes so much later than it is due."""
    now = 0.0

    def leap() -> float:
        nonlocal now
        now += seconds
        return now

    with patch.object(busy_aware_timeout, "_now", leap):
        yield


async def is_mute(reader, _writer):
    await reader.read()


async def hangs_up_on_the_slow(reader, _writer):
    """As servers do to whoever lets them wait."""
    await reader.read(4096)
    await asyncio.sleep(0.3)


def dialled(talk, seconds=5.0):
    """What kind of answer a look comes to; nothing where it saw all."""

    async def act():
        async with talking(talk) as port:
            try:
                await fetch((LOOPBACK, port), HOST, seconds=seconds)
            except Refusal as refusal:
                return refusal.kind
            return None

    return asyncio.run(act())


def slow(lab, seconds):
    """A relay to an endpoint of the lab's that thinks for a while before each answer; its address of loopback."""
    behind = int(lab.serve().rpartition(":")[2])

    async def relay(reader, writer):
        answers, asks = await asyncio.open_connection(LOOPBACK, behind)
        while data := await reader.read(65536):
            asks.write(data)
            await asyncio.sleep(seconds)
            with contextlib.suppress(TimeoutError):
                writer.write(await asyncio.wait_for(answers.read(65536), 1))
        asks.close()

    return relay


def test_who_answers_while_this_machine_is_late_is_seen(tmp_path):
    with watch_lab(tmp_path) as lab, late_by(1.5):
        assert dialled(slow(lab, 0.5), seconds=4.0) is None, "it had 4 s, and answered in half of one"


def test_a_look_that_was_too_late_is_no_answer():
    with late_by(9.0):
        assert dialled(is_mute) == "busy", "nobody knows whether it would have answered"
    assert dialled(is_mute, seconds=0.3) == "timeout", "this machine had time for it"


def test_who_hangs_up_on_a_late_look_is_not_to_blame():
    with late_by(1.0):
        assert dialled(hangs_up_on_the_slow) == "busy", "we let it wait"
    assert dialled(hangs_up_on_the_slow) == "closed"


def test_a_machine_out_of_files_cannot_look():
    async def act():
        with patch.object(
            dialling.asyncio, "open_connection", side_effect=OSError(errno.EMFILE, "Too many open files")
        ):
            return await Scanner(5, 0.3, 0.01).look(WatchedEndpoint(host=HOST, addresses=("192.0.2.1",)), TODAY)

    look = asyncio.run(act())
    assert (dict(look.unseen), set(look.lost)) == ({}, {"192.0.2.1:443"}), "its own want was taken for the other's"


def test_who_answers_at_the_third_look_is_not_gone(tmp_path):
    with watch_lab(tmp_path) as lab:
        relay, met = slow(lab, 0), []

        async def wakes_up(reader, writer):
            met.append(writer)
            await (is_mute if len(met) < 3 else relay)(reader, writer)

        async def act():
            async with talking(wakes_up) as port:
                where = (f"{LOOPBACK}:{port}",)
                return await Scanner(5, 0.3, 0.01).look(WatchedEndpoint(host=HOST, addresses=where), TODAY)

        look = asyncio.run(act())
        assert (look.is_answered, len(met)) == (True, 3), "one silence was taken for an end"


def test_who_answers_no_look_is_gone():
    async def act():
        async with talking(is_mute) as port:
            where = (f"{LOOPBACK}:{port}",)
            return await Scanner(5, 0.2, 0.01).look(WatchedEndpoint(host=HOST, addresses=where), TODAY)

    look = asyncio.run(act())
    assert (len(look.unseen), len(look.lost)) == (1, 0), "a real end was taken for load"


def test_on_a_busy_machine_nothing_is_told(tmp_path):
    """Two servers fall silent while the watch cannot look; when it can again, that is told."""
    with watch_lab(tmp_path) as lab:
        lab.serve()
        lab.round()
        lab.timeout = 0.2
        mute = lab.run(asyncio.start_server(is_mute, LOOPBACK, 0))
        lab.addresses = [f"{LOOPBACK}:{mute.sockets[0].getsockname()[1]}"]
        with late_by(5.0):
            done = lab.round()
        assert lab.receiver.take() == [], "an alert of load"
        assert (done.exit_status, len(done.errors)) == (3, 1), "it could not look, and did not say so"
        assert lab.told_in_a_round() == ["raised unreachable critical"], "the end is real"
        lab.call(mute.close)


R10 = issued(under="lets-encrypt-r10")


def test_an_address_that_was_not_looked_at_is_not_lost_to_firmware(tmp_path):
    """One address shows what firmware refuses, and the other was not looked at: nobody knows that it is dark."""
    with watch_lab(tmp_path) as lab:
        lab.serve()
        lab.serve(at="127.0.0.2")
        lab.round()
        first, second = lab.addresses

        async def half(_endpoint, at):
            return Look(at, {first: Shown(R10.chain)}, lost={second: "too busy"})

        alerts = told_of(lab, half)
        assert "raised refused critical" in alerts
        assert "raised dark critical" not in alerts, "the other address may serve it still"


def told_of(lab, look):
    """What a round tells of such a look."""
    with lab.state() as state:
        watch = Watch(read_watch_config(lab.write_config()), state, clock=lab.clock, look=look)
        done = asyncio.run(watch.once())
    return [f"{one.status} {one.kind} {one.level}" for one in done.alerts]


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
    assert told_of(lab, name_lost if case == "its name lost" else everything_lost(lab)) == []
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

    assert told_of(lab, half) == [f"happened {FactKind.IDENTITY_CHANGED} info"]
