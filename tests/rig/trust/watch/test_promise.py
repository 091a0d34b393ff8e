"""Never twice, never silent: whatever happens to addresses, the channel and the watch itself, in any order.

Looks and the channel are the test's, so that hundreds of stories run in seconds; judgement, state and deliveries are
the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rig.trust.watch.channel import Undelivered
from rig.trust.watch.config import read_watch_config
from rig.trust.watch.fact import FactKind
from rig.trust.watch.loaded_config import LoadedConfig
from rig.trust.watch.look import Look, Shown
from rig.trust.watch.state import FILE, WatchState
from rig.trust.watch.watch import Watch
from tests.rig.trust.watch.watch_lab import FIRMWARE, HOST, LabClock, issued, pki

#: The first two are accepted by all firmware, the others by 1.0.5 only.
IDENTITIES = [issued(), issued(days=89), issued(under="lets-encrypt-r10"), issued(under="lets-encrypt-r11")]
ACCEPTED = (0, 1)
ADDRESSES = ("192.0.2.1:443", "192.0.2.2:443")
SOME = st.sampled_from([ADDRESSES[:1], ADDRESSES[1:], ADDRESSES])
CONFIG = f"""
pins = "pins"
roots = "pins/bundle.pem"
[[endpoint]]
host = "{HOST}"
addresses = {list(ADDRESSES)}
{FIRMWARE}
[[alert.command]]
argv = ["the test's"]
"""


class Died(BaseException):
    """The process is gone."""


class Receiver:
    """Takes alerts, refuses them, or takes one and sees the watch die before that is written down."""

    name = "command"

    def __init__(self):
        self.is_up, self.dies = True, False
        self.got, self.deaths = [], 0

    async def send(self, alert):
        if not self.is_up:
            raise Undelivered("down")
        self.got.append(alert)
        if self.dies:
            self.dies, self.deaths = False, self.deaths + 1
            raise Died

    async def close(self):
        pass


class Promise(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        pki().publish(self.folder / "pins")
        (self.folder / "watch.toml").write_text(CONFIG)
        self.config = read_watch_config(self.folder / "watch.toml")
        fleet = LoadedConfig.of(self.config)
        self.receiver = Receiver()
        self.loaded_config = LoadedConfig(fleet.fleet, fleet.judge, (self.receiver,))
        self.clock = LabClock()
        self.shows, self.down = dict.fromkeys(ADDRESSES, 0), set()
        #: What the watch saw last at each address, and how many changes it has to tell.
        self.seen, self.changes = {}, 0
        self.endpoint = self.config.endpoint[0]

    def teardown(self):
        self.down.clear()
        self.receiver.is_up, self.receiver.dies = True, False
        self.clock.today += timedelta(hours=1)
        try:
            self.round()
            self.everything_was_told()
        finally:
            shutil.rmtree(self.folder)

    async def look(self, _endpoint, at):
        shown = {a: Shown(IDENTITIES[n].chain) for a, n in self.shows.items() if a not in self.down}
        return Look(at, shown, dict.fromkeys(self.down, "it is down"))

    def note_what_is_seen(self):
        up = {a: n for a, n in self.shows.items() if a not in self.down}
        if self.seen:
            self.changes += len({n for n in up.values() if n not in self.seen.values()})
        self.seen = {**self.seen, **up}

    @rule(addresses=SOME, number=st.integers(0, len(IDENTITIES) - 1))
    def swap_and_look(self, addresses, number):
        self.shows |= dict.fromkeys(addresses, number)
        self.round()

    @rule(addresses=SOME, number=st.integers(0, len(IDENTITIES) - 1))
    def swap_unseen(self, addresses, number):
        self.shows |= dict.fromkeys(addresses, number)

    @rule(addresses=SOME)
    def go_down_or_up(self, addresses):
        self.down ^= set(addresses)

    @rule()
    def channel_goes_down_or_up(self):
        self.receiver.is_up = not self.receiver.is_up

    @rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes):
        self.clock.today += timedelta(minutes=minutes)

    @rule()
    def round(self):
        self.note_what_is_seen()
        done = with_state(self, lambda watch: watch.once())
        refuses = any(number not in ACCEPTED for number in self.seen.values())
        assert any(fact.kind == FactKind.REFUSED for _, fact in done.facts) == refuses, "of what was seen last"

    @rule()
    def die_after_a_look(self):
        """Nothing was delivered, and no figures were written."""
        self.note_what_is_seen()
        with_state(self, lambda watch: watch.look(self.endpoint))

    @precondition(lambda self: self.receiver.is_up)
    @rule()
    def die_when_an_alert_was_taken(self):
        self.receiver.dies = True
        self.note_what_is_seen()
        with contextlib.suppress(Died):
            with_state(self, lambda watch: watch.once())
        self.receiver.dies = False

    @rule(size=st.integers(1, 200))
    def die_while_writing(self, size):
        """The last line is torn: it was never said to be written."""
        path = self.folder / "state" / FILE
        if path.exists():
            with path.open("ab") as file:
                file.write((b'{"kind":"seen","memories":[' + b" " * 200)[:size])

    @invariant()
    def nothing_is_told_twice(self):
        repeats = Counter(alert.alert for alert in self.receiver.got)
        assert sum(repeats.values()) - len(repeats) <= self.receiver.deaths

    def everything_was_told(self):
        alerts = {alert.alert: alert for alert in self.receiver.got}.values()
        over = {alert.fact for alert in alerts if alert.status == "resolved"}
        holds = Counter(alert.kind for alert in alerts if alert.status == "raised" and alert.fact not in over)
        shown = set(self.shows.values())
        refused = [n for n in self.shows.values() if n not in ACCEPTED]
        expected = Counter(
            {
                FactKind.REFUSED: min(len(refused), 1),
                FactKind.DARK: int(len(refused) == len(ADDRESSES)),
                FactKind.ADDRESSES_DISAGREE: int(len(shown) > 1),
            }
        )
        # A fact is told again when it becomes worse: refused at one address, and then at all of them.
        assert {kind for kind in holds if holds[kind]} == {kind for kind in expected if expected[kind]}
        assert len([alert for alert in alerts if alert.status == "happened"]) == self.changes


def with_state(machine, act):
    state = WatchState(machine.folder / "state")
    try:
        watch = Watch(
            machine.config, state, loaded_config=machine.loaded_config, clock=machine.clock, look=machine.look
        )
        return asyncio.run(act(watch))
    finally:
        state.close()


TestPromise = Promise.TestCase
TestPromise.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
