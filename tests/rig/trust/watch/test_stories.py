"""A watch tells what comes, what changes and what is over at real endpoints: step by step, and once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.rig.trust.watch.watch_lab import CHANGED, DARK, HOST, TODAY, day, fresh_lab, issued

lab = fresh_lab
R10 = {"under": "lets-encrypt-r10"}
RENEWED = {"begins": datetime(2024, 6, 30, tzinfo=UTC)}


def nothing(lab):
    pass


def to(text):
    return lambda lab: setattr(lab.clock, "today", day(text))


def shows(**recipe):
    return lambda lab: lab.show(issued(**recipe))


def shows_at(number, **recipe):
    return lambda lab: lab.show(issued(**recipe), lab.addresses[number])


def stops(number):
    return lambda lab: lab.stop(lab.addresses[number])


def starts(number):
    return lambda lab: lab.start(lab.addresses[number])


def leaves(number):
    return lambda lab: lab.addresses.pop(number)


def both(*acts):
    return lambda lab: [act(lab) for act in acts]


LIGHT = ["resolved dark", "resolved refused"]
#: How many addresses there are, and what is told after each step.
STORIES = {
    "nothing happens": (1, [(nothing, [])]),
    "the end comes, threshold by threshold": (
        1,
        [
            (to("2024-07-20"), ["raised renewal info"]),
            (to("2024-07-28"), ["raised renewal warning"]),
            (to("2024-08-08"), []),
            (to("2024-08-10"), ["raised ending warning"]),
            (to("2024-08-17"), ["raised ending warning"]),
            (to("2024-08-22T12:00"), ["raised ending critical"]),
            (to("2024-08-24"), ["raised ending critical"]),
            (to("2024-08-25"), []),
            (
                shows(begins=day("2024-08-25")),
                [CHANGED, "resolved ending", "resolved renewal"],
            ),
        ],
    ),
    "it is renewed in time": (
        1,
        [(to("2024-07-22"), ["raised renewal info"]), (shows(**RENEWED), [CHANGED, "resolved renewal"])],
    ),
    "the intermediate that firmware pins ends": (
        1,
        [
            (both(to("2025-05-02"), shows(begins=day("2025-05-01"))), [CHANGED]),
            (to("2025-06-01"), []),
            (to("2025-06-20"), ["raised ending warning"]),
            (to("2025-06-21"), []),
        ],
    ),
    "a new intermediate that 1.0.4 does not accept, and back": (
        1,
        [
            (shows(**R10), [CHANGED, *DARK]),
            (nothing, []),
            (shows(), [CHANGED, *LIGHT]),
            (shows(**R10), [CHANGED, *DARK]),
        ],
    ),
    "the new intermediate is seen at the second address only": (
        2,
        [
            (shows_at(1, **R10), [CHANGED, "raised addresses-disagree warning", "raised refused critical"]),
            (shows_at(0, **R10), ["raised dark critical", "raised refused critical", "resolved addresses-disagree"]),
        ],
    ),
    "one of two addresses is left behind": (
        2,
        [
            (shows_at(0, **RENEWED), [CHANGED, "raised addresses-disagree warning"]),
            (nothing, []),
            (shows_at(1, **RENEWED), ["resolved addresses-disagree"]),
        ],
    ),
    "an address is down, and up again": (
        2,
        [(stops(0), ["raised unreachable warning"]), (nothing, []), (starts(0), ["resolved unreachable"])],
    ),
    "every address is down": (2, [(both(stops(0), stops(1)), ["raised unreachable critical"] * 2)]),
    "the first address is down while the second changes": (
        2,
        [
            (stops(0), ["raised unreachable warning"]),
            (shows(**R10), [CHANGED, "raised refused critical", "raised dark critical"]),
        ],
    ),
    "what an address showed is not over because it is down": (
        2,
        [
            (shows(**R10), [CHANGED, *DARK]),
            (stops(1), ["raised unreachable warning"]),
            (shows_at(0), [CHANGED, "resolved dark"]),
            (starts(1), ["raised addresses-disagree warning", "resolved unreachable"]),
            (shows_at(1), ["resolved addresses-disagree", "resolved refused"]),
        ],
    ),
    "an address is given up": (
        2,
        [(stops(1), ["raised unreachable warning"]), (leaves(1), ["resolved unreachable"])],
    ),
    "other certificates behind the same leaf": (
        1,
        [
            (lambda lab: lab.show(issued().serving()), [CHANGED, *DARK, "raised flaw warning"]),
            (shows(), [CHANGED, *LIGHT, "resolved flaw"]),
        ],
    ),
    "a name that is not its own": (1, [(shows(names=("other.test",)), [CHANGED, *DARK, *DARK, "raised flaw warning"])]),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_step_by_step(lab, name):
    addresses, steps = STORIES[name]
    for number in range(addresses):
        lab.serve(at=f"127.0.0.{number + 1}")
    assert lab.told_in_a_round() == []
    for number, (act, expected) in enumerate(steps):
        act(lab)
        alerts = lab.told_in_a_round()
        assert alerts == sorted(expected), f"step {number}"


EXIT_STATUSES = {
    "good": (nothing, 0),
    "a renewal that is due": (to("2024-07-22"), 0),
    "firmware goes dark": (shows(**R10), 1),
    "an address is not reached": (stops(0), 3),
    "both": (both(stops(0), shows(**R10)), 1),
}


@pytest.mark.parametrize("case", EXIT_STATUSES)
def test_the_exit_status_says_what_holds(lab, case):
    act, status = EXIT_STATUSES[case]
    for number in (1, 2):
        lab.serve(at=f"127.0.0.{number}")
    lab.round()
    act(lab)
    assert lab.round().exit_status == status
    assert lab.round().exit_status == status, "and still says it when nothing is new"


def test_days_pass_and_nothing_is_told_twice(lab):
    lab.serve()
    for _ in range(12):
        lab.clock.today += timedelta(days=2)
        lab.round()
    assert set(lab.receiver.counts().values()) == {1}
    assert lab.clock.today > TODAY


def test_addresses_that_are_meant_to_differ_do_not_disagree_and_each_tells_its_changes(lab):
    for number in (1, 2):
        lab.serve(at=f"127.0.0.{number}")
    config = lab.write_config()
    config.write_text(config.read_text().replace("[[endpoint]]", "[[endpoint]]\naddresses_differ = true"))
    lab.write_config = lambda: config
    lab.round()
    lab.show(issued(**RENEWED), lab.addresses[0])
    assert lab.told_in_a_round() == [CHANGED]
    lab.show(issued(**RENEWED), lab.addresses[1])
    assert lab.told_in_a_round() == [CHANGED], "it is another server's change"


def test_an_endpoint_that_is_no_longer_watched_is_resolved(lab):
    address = lab.serve(issued(**R10))
    lab.round()
    lab.receiver.take()
    lab.addresses[:] = [address]
    path = lab.write_config()
    lab.write_config = lambda: path
    path.write_text(
        path.read_text()
        .replace(HOST, "another.test", 1)
        .replace("[[endpoint]]", '[[endpoint]]\naccept = ["wrong-name"]')
    )
    alerts = lab.told_in_a_round()
    assert alerts.count("resolved refused") == 1
    assert alerts.count("resolved dark") == 1


def test_a_name_that_nobody_knows_gives_nothing_up(lab):
    lab.serve(issued(**R10))
    lab.round()
    lab.receiver.take()
    path = lab.write_config()
    lab.write_config = lambda: path
    path.write_text(path.read_text().replace(f'addresses = ["{lab.addresses[0]}"]', ""))
    alerts = lab.told_in_a_round()
    assert alerts == ["raised unreachable critical"], "nobody resolves ota.rig.test here"
