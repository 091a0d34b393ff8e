"""A watch as a process: it is ready, tells, gives figures, reads its config again, and ends cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from itertools import pairwise

import pytest

from rig.trust.watch import scanner
from rig.trust.watch.config import WatchedEndpoint, read_watch_config
from rig.trust.watch.scanner import Scanner
from rig.trust.watch.watch import Watch
from tests.rig.trust.tls_servers import talking
from tests.rig.trust.watch.test_state import start
from tests.rig.trust.watch.watch_lab import HOST, TODAY, fresh_lab, issued
from tests.rig.waiting import HANGS

R10 = issued(under="lets-encrypt-r10")
lab = fresh_lab


@contextlib.contextmanager
def running(lab):
    child, ready = start(lab.write_config(), lab.folder / "state")
    too_late = threading.Timer(30, child.kill)
    too_late.start()
    try:
        yield child, ready["metrics"]
    finally:
        too_late.cancel()
        child.kill()
        child.wait()
        child.stdout.close()


def events(child, count):
    return [json.loads(child.stdout.readline()) for _ in range(count)]


def test_it_tells_as_json_lines_and_ends_on_sigterm(lab):
    lab.serve(R10)
    lab.extra = "every = 0.001"
    with running(lab) as (child, _):
        kinds = {event["kind"] for event in events(child, 4)}
        child.send_signal(signal.SIGTERM)
        assert child.wait(HANGS) == 0
    assert kinds == {"refused", "dark", "ending", "renewal"}
    with lab.state() as state:
        assert state.memory(f"{HOST}:443").looks > 0, "the figures were written at the end"


def test_on_sighup_the_config_is_read_again_and_a_wrong_one_is_not_taken(lab):
    lab.serve(R10)
    with running(lab) as (child, _):
        events(child, 4)
        config = lab.write_config()
        right = config.read_text()
        config.write_text("nonsense")
        child.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert child.poll() is None
        lab.firmware = ""
        config.write_text(lab.write_config().read_text())
        assert right != config.read_text()
        child.send_signal(signal.SIGHUP)
        lines = []
        while not any(line.get("kind") == "dark" and line["status"] == "resolved" for line in lines):
            lines += events(child, 1)


def test_figures_are_at_the_port_and_in_the_file(lab):
    lab.serve(R10)
    lab.serve(R10, at="127.0.0.2")
    lab.stop(lab.addresses[1])
    lab.alerts += '[metrics]\nfile = "figures.prom"\nlisten = "127.0.0.1:0"\n'
    lab.clock.today = TODAY
    lab.round()
    text = (lab.folder / "figures.prom").read_text()
    at = lab.addresses[0]
    assert f'rig_trust_firmware_accepted{{host="{HOST}",endpoint="{HOST}:443",firmware="lamp-1.0.4"}} 0' in text
    assert f'rig_trust_firmware_accepted{{host="{HOST}",endpoint="{HOST}:443",firmware="lamp-1.0.5"}} 1' in text
    assert 'rig_trust_firmware_dark{firmware="lamp-1.0.4"} 1' in text
    ends = R10.leaf.not_valid_after_utc.timestamp()
    assert f'rig_trust_certificate_expiry_timestamp_seconds{{endpoint="{HOST}:443",address="{at}"}} {ends:.0f}' in text
    assert f'rig_trust_address_up{{endpoint="{HOST}:443",address="{lab.addresses[1]}"}} 0' in text
    assert f'rig_trust_last_success_timestamp_seconds{{endpoint="{HOST}:443"}} {TODAY.timestamp():.0f}' in text
    assert "rig_trust_rounds_total 1\n" in text
    assert 'rig_trust_alerts_delivered_total{channel="webhook"} 3' in text


def test_figures_at_the_port_are_as_prometheus_reads_them(lab):
    lab.serve(R10)
    lab.alerts += '[metrics]\nlisten = "127.0.0.1:0"\n'
    with running(lab) as (child, port):
        events(child, 4)
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=HANGS) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert_prometheus(answer.read().decode())
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(url, headers={"Host": "page.test"}), timeout=HANGS)


LINE = re.compile(r'rig_trust_[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)*\})? -?[0-9.e+]+')


def assert_prometheus(text):
    """Each metric has its type once, before its values; every line is one of the text format."""
    typed = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            assert line.split()[2] not in typed
            typed.add(line.split()[2])
        elif not line.startswith("# HELP "):
            assert LINE.fullmatch(line), line
            assert re.match(r"\w+", line)[0] in typed


def test_labels_are_escaped():
    from rig.trust.watch.metrics import _Figure

    figure = _Figure("x", "gauge", "X.", [({"a": 'q"b\\s\nn'}, 1.0)])
    assert list(figure.text())[-1] == 'rig_trust_x{a="q\\"b\\\\s\\nn"} 1'


# -- the loop, on the test's own clock ---------------------------------------------------------------------------------


def looping(lab, story):
    """Run a watch in the loop with the lab's clock while `story(watch, looks)` acts; returns when it is over."""

    async def act():
        with lab.state() as state:
            config = read_watch_config(lab.write_config())
            scanner, looks = Scanner(10, 2, 0.01), []

            async def look(endpoint, at):
                looks.append(at)
                return await scanner.look(endpoint, at)

            watch = Watch(config, state, clock=lab.clock, look=look)
            over = asyncio.Event()
            run = asyncio.create_task(watch.run(over))
            await watched(watch, 1)
            await story(watch, looks)
            over.set()
            await run

    asyncio.run(act())


async def watched(watch, looks):
    async with asyncio.timeout(HANGS):
        while watch._state.memory(f"{HOST}:443").looks < looks:
            await asyncio.sleep(0.01)


def test_pauses_are_as_told_with_their_jitter(lab):
    lab.serve()

    async def story(watch, looks):
        for number in range(2, 12):
            while (over := watch._state.memory(f"{HOST}:443").looks) < number:
                if over == len(looks):  # how long a look takes on this machine is no pause
                    await lab.clock.pass_by(seconds=30)
                await asyncio.sleep(0.02)
        pauses = [(later - earlier).total_seconds() / 60 for earlier, later in pairwise(looks)]
        assert all(8 <= pause <= 12.6 for pause in pauses), pauses
        assert len({round(pause, 1) for pause in pauses}) > 1

    looping(lab, story)


def test_who_does_not_answer_is_asked_less_often(lab):
    lab.serve()
    lab.stop(lab.addresses[0])
    lab.extra = "jitter = 0.0\n"

    async def story(watch, looks):
        for number in range(2, 7):
            while watch._state.memory(f"{HOST}:443").looks < number:
                await lab.clock.pass_by(minutes=5)
                await asyncio.sleep(0.02)
        pauses = [(later - earlier).total_seconds() / 60 for earlier, later in pairwise(looks)]
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (10, 60)

    looping(lab, story)


# -- looks -------------------------------------------------------------------------------------------------------------


def seen_by(scanner, **endpoint):
    return scanner.look(WatchedEndpoint(host=HOST, **endpoint), TODAY)


def test_an_endpoint_that_hangs_holds_up_no_other(lab):
    address = lab.serve()

    async def silent(reader, writer):
        await reader.read()

    async def act():
        async with talking(silent) as port:
            slow = [WatchedEndpoint(host=f"slow{n}.test", addresses=(f"127.0.0.1:{port}",)) for n in range(20)]
            scanner, done = Scanner(30, 0.3, 0.01), []

            async def look(endpoint):
                seen = await scanner.look(endpoint, TODAY)
                done.append(seen)

            quick = WatchedEndpoint(host=HOST, addresses=(address,))
            await asyncio.gather(*map(look, [*slow, quick]))
            assert done[0].is_answered, "the quick one was done first"
            assert not any(seen.is_answered for seen in done[1:])
            assert all("silent" in text for seen in done[1:] for text in seen.unseen.values())

    asyncio.run(act())


def test_every_address_of_a_name_is_looked_at_once(monkeypatch, lab):
    port = int(lab.serve().rpartition(":")[2])
    names = ["127.0.0.1", "127.0.0.2", "127.0.0.1"]

    async def look_up(_name, _family):
        return names

    monkeypatch.setattr(scanner, "look_up", look_up)
    look = asyncio.run(seen_by(Scanner(10, 2, 0.01), port=port))
    assert set(look.shown) == {f"127.0.0.1:{port}"}
    assert set(look.unseen) == {f"127.0.0.2:{port}"}
    names = [f"127.0.1.{n}" for n in range(scanner.MOST_ADDRESSES + 3)]
    assert asyncio.run(seen_by(Scanner(100, 0.5, 0.01), port=1)).left_out == 3


def test_a_resolver_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("rig.trust.watch.resolver.socket.getaddrinfo", lambda *_, **__: time.sleep(1.5) or [])
    began = time.monotonic()
    look = asyncio.run(seen_by(Scanner(10, 0.2, 0.01)))
    assert "no answer in 0.4 s" in look.unknown
    assert time.monotonic() - began < 1.5, "nobody waits for its thread"


def test_localhost_is_resolved_for_real():
    look = asyncio.run(Scanner(10, 2, 0.01).look(WatchedEndpoint(host="localhost", port=1, family="ipv4"), TODAY))
    assert set(look.unseen) == {"127.0.0.1:1"}
