"""Alerts reach every channel once, however long one of them is down, and no secret leaves the environment."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from rig.errors import Misuse
from rig.trust.watch.config import read_watch_config
from rig.trust.watch.memory import Alert
from rig.trust.watch.state import MOST_QUEUED, Outbox
from rig.trust.watch.watch import Watch
from tests.rig.trust.watch.watch_lab import fresh_lab, issued, pki, watch_lab
from tests.rig.waiting import HANGS

R10 = issued(under="lets-encrypt-r10")
lab = fresh_lab


@pytest.fixture
def changed(lab):
    """One round was looked at, and now firmware goes dark: three alerts are due."""
    lab.serve()
    lab.round()
    lab.show(R10)
    return lab


def writing_command(lab, code=0):
    """A real command that writes down what it gets."""
    script = lab.folder / "hear.py"
    script.write_text(
        f"import sys\nopen({str(lab.folder / 'heard.jsonl')!r}, 'a').write(sys.stdin.read())\n"
        f"print('no room', file=sys.stderr)\nsys.exit({code})\n"
    )
    lab.alerts += f'[[alert.command]]\nargv = ["{sys.executable}", "{script}"]\n'


def heard(lab):
    path = lab.folder / "heard.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_webhook_that_was_down_for_three_rounds_gets_each_alert_once(changed):
    changed.receiver.status = 503
    for _ in range(3):
        done = changed.round()
        changed.clock.today += timedelta(minutes=10)
    assert done.queued == {"webhook": 3}
    changed.receiver.status = 200
    assert changed.round().queued == {"webhook": 0}
    changed.round()
    assert sorted(changed.receiver.counts().values()) == [1, 1, 1]


def test_a_dead_webhook_is_asked_less_and_less_often_also_across_restarts(changed):
    changed.receiver.status, asked = 500, []
    for _ in range(24):
        changed.round()
        asked.append(len(changed.receiver.asked))
        changed.clock.today += timedelta(seconds=10)
    assert asked[0] == 1
    assert asked[-1] <= 6, "5, 10, 20, 40, 80, 160 seconds"
    assert any("answered 500" in text for text in changed.messages)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_webhook_that_is_no_good_does_not_hold_up_the_command(changed, how):
    writing_command(changed)
    if how == "refuses":
        changed.receiver.status = 500
    else:
        changed.receiver.delay = 5
        changed.alerts = changed.alerts.replace('/"\n', '/"\ntimeout = 0.3\n', 1)
    done = changed.round()
    assert len(heard(changed)) == 3
    assert done.queued == {"webhook": 3, "command": 0}


def test_a_command_that_fails_keeps_its_alerts_and_says_why(changed):
    writing_command(changed, code=7)
    done = changed.round()
    assert done.queued == {"webhook": 0, "command": 3}
    assert any("ended with 7: no room" in text for text in changed.messages)


def test_a_command_that_hangs_is_ended_with_all_it_started(changed):
    words = '["/bin/sh", "-c", "sleep 60 & echo $! > child; wait"]'
    changed.alerts = (
        f"[[alert.command]]\nargv = {words.replace('child', str(changed.folder / 'child'))}\ntimeout = 0.3\n"
    )
    assert changed.round().queued == {"command": 3}
    child = int((changed.folder / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_one_alert_that_is_never_taken_stops_no_other(changed):
    changed.receiver.refused_kind = "identity-changed"
    for _ in range(3):
        changed.round()
        changed.clock.today += timedelta(minutes=10)
    assert sorted(alert["kind"] for alert in changed.receiver.take()) == ["dark", "refused"]


def test_what_is_told_of_one_fact_stays_in_order():
    box = Outbox()
    alerts = [told("a", "1"), told("a", "2"), told("b", "3")]
    for alert in alerts:
        box.put(alert)
    box.postpone("1", alerts[0].at)
    assert [alert.alert for alert in box.queue] == ["3", "1", "2"]


def test_a_queue_that_nobody_empties_is_bounded_and_counts_what_it_lost():
    box = Outbox()
    for number in range(MOST_QUEUED + 5):
        box.put(told(str(number), str(number)))
    assert (len(box.queue), box.dropped, box.queue[0].alert) == (MOST_QUEUED, 5, "5")


def told(fact, alert):
    at = datetime(2024, 7, 1, tzinfo=UTC)
    fields = {
        "status": "raised",
        "kind": "flaw",
        "level": "warning",
        "subject": "s",
        "text": "t",
        "at": at,
        "since": at,
    }
    return Alert(alert=alert, fact=fact, **fields)


def test_an_alert_below_the_least_level_is_not_for_that_channel(changed):
    changed.alerts = changed.alerts.replace('/"\n', '/"\nleast = "critical"\n', 1)
    changed.round()
    assert {alert["level"] for alert in changed.receiver.take()} == {"critical"}


def test_headers_come_from_the_environment_and_go_nowhere_else(changed, monkeypatch):
    monkeypatch.setenv("RIG_TEST_TOKEN", "s3cret")
    changed.alerts = changed.alerts.replace('/"\n', '/"\nheaders_from = { Authorization = "RIG_TEST_TOKEN" }\n', 1)
    changed.receiver.status = 401
    changed.round()
    assert changed.receiver.asked[0].headers["Authorization"] == "s3cret"
    assert changed.receiver.asked[0].headers["Idempotency-Key"]
    files = [path for path in changed.folder.rglob("*") if path.is_file() and path.suffix != ".pem"]
    assert not any(b"s3cret" in path.read_bytes() for path in files)
    assert not any("s3cret" in text or changed.url in text for text in changed.messages)


def test_a_variable_that_is_not_set_is_misuse(lab):
    lab.serve()
    lab.alerts = '[[alert.webhook]]\nurl_from = "RIG_NOT_SET"\n'
    with pytest.raises(Misuse, match="RIG_NOT_SET"):
        lab.round()


def test_alerts_of_a_channel_that_left_the_config_are_dropped_aloud(changed):
    changed.receiver.status = 500
    changed.round()
    changed.alerts = ""
    changed.round()
    assert any("3 alerts were queued for channels that are no longer" in text for text in changed.messages)


def test_in_the_loop_a_webhook_that_comes_back_gets_all_of_it(changed):
    changed.receiver.status = 503

    async def act():
        with changed.state() as state:
            watch = Watch(read_watch_config(changed.write_config()), state, clock=changed.clock)
            over = asyncio.Event()
            running = asyncio.create_task(watch.run(over))
            await until(lambda: len(changed.receiver.asked) == 1)
            changed.receiver.status = 200
            while watch.queued()["webhook"]:
                await changed.clock.pass_by(seconds=5)
            over.set()
            await running

    asyncio.run(act())
    assert sorted(changed.receiver.counts().values()) == [1, 1, 1]


async def until(holds):
    async with asyncio.timeout(HANGS):
        while not holds():
            await asyncio.sleep(0.01)


def test_without_roots_of_its_own_a_watch_takes_this_systems(tmp_path, monkeypatch):
    monkeypatch.setattr("rig.trust.watch.loaded_config.system_roots", lambda: pki().bundle)
    with watch_lab(tmp_path) as lab:
        lab.serve(issued(behind=()))
        written = lab.write_config()
        written.write_text(written.read_text().replace('roots = "pins/bundle.pem"\n', ""))
        lab.write_config = lambda: written
        lab.round()
        flaws = [alert["text"] for alert in lab.receiver.got if alert["kind"] == "flaw"]
    assert len(flaws) == 1
    assert flaws[0].startswith("missing-intermediate")


def test_a_chain_that_a_device_has_no_room_for_is_told_by_its_size(tmp_path):
    with watch_lab(tmp_path) as lab:
        lab.serve(issued(padding=20))
        lab.round()
        refused = [alert["text"] for alert in lab.receiver.got if alert["kind"] == "refused"]
    assert len(refused) == 2
    assert all("an ESP32 has room for 16384" in text for text in refused)
