"""The watch: looks at every endpoint, judges, writes down, and alerts; once, or for as long as it is left alone.

Looks, judgements, state and deliveries are in modules of their own; here is what comes after what, and when.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rig.errors import LabFault, RigError
from rig.trust.watch.clock import WatchClock
from rig.trust.watch.config import WatchConfig, WatchedEndpoint
from rig.trust.watch.delivery import Deliveries
from rig.trust.watch.fact import FactKind
from rig.trust.watch.loaded_config import LoadedConfig
from rig.trust.watch.look import Look, Looker
from rig.trust.watch.memory import Alert, Memory, OpenFact, reconcile, resolved
from rig.trust.watch.metrics import MetricsPort, metrics_text, write_metrics
from rig.trust.watch.scanner import Scanner
from rig.trust.watch.state import WatchState

#: Figures are written so often at most, and at the end.
METRICS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Round:
    """All endpoints looked at once: what was told, what holds now, and what waits to be delivered, by channel."""

    at: datetime
    alerts: tuple[Alert, ...]
    facts: tuple[tuple[str, OpenFact], ...]
    queued: dict[str, int]
    errors: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """1: something is wrong with an endpoint or firmware goes dark; 3: an address was not reached, or could not be
        looked at, or the state could not be written; 0: good.
        """
        unreached = [fact for _, fact in self.facts if fact.kind == FactKind.UNREACHABLE]
        if any(fact.level != "info" for _, fact in self.facts if fact not in unreached):
            return 1
        return LabFault.exit_status if unreached or self.errors else 0


class Watch:
    """Endpoints of one config over one state. Raises Misuse as `LoadedConfig.of` does.

    `on_alert` gets each alert when it is on the disk, `on_message` what else people should know.
    """

    def __init__(
        self,
        config: WatchConfig,
        state: WatchState,
        *,
        clock: WatchClock | None = None,
        loaded_config: LoadedConfig | None = None,
        look: Looker | None = None,
        on_alert: Callable[[Alert], None] = lambda _alert: None,
        on_message: Callable[[str], None] = lambda _text: None,
    ):
        self.config, self._state, self._clock = config, state, clock or WatchClock()
        loaded_config = loaded_config or LoadedConfig.of(config)
        self.fleet, self._judge = loaded_config.fleet, loaded_config.judge
        self._look = look or Scanner(config.at_once, config.timeout, config.look_again).look
        self._on_alert, self._on_message = on_alert, on_message
        self._deliveries = Deliveries(state, loaded_config.channels, self._clock, on_message)
        self._random = random.Random()
        self._looked: set[str] = set()
        #: Endpoints whose last look was lost, wholly or at some address, and why.
        self._lost: dict[str, str] = {}
        self._dropped = 0

    # -- one look ------------------------------------------------------------------------------------------------------

    async def look(self, endpoint: WatchedEndpoint) -> list[Alert]:
        """Look at an endpoint once, and write down and queue what is new. Raises LabFault where that is not possible;
        then the next look finds it again.
        """
        look = await self._look(endpoint, self._clock.date())
        self._note_lost(endpoint, look)
        if endpoint.host in look.lost:
            before = self._state.memory(endpoint.name)
            self._state.record([before.model_copy(update={"lost": before.lost + 1})], (), ())
            return []
        memory, alerts = self._after(endpoint, look)
        others, more = self._of_firmware(memory, look.at)
        alerts = [*alerts, *more]
        self._state.record([memory, *others], alerts, self.config.alert.channels)
        if alerts:
            self._deliveries.wake()
        for alert in alerts:
            self._on_alert(alert)
        if alerts:
            self._report_lost()
        return alerts

    def _after(self, endpoint: WatchedEndpoint, look: Look) -> tuple[Memory, list[Alert]]:
        before = self._state.memory(endpoint.name)
        found = self._judge.judge(endpoint, look, before)
        memory, alerts = reconcile(before, found.facts, found.changes, look.at, found.is_unseen)
        seen = {
            "shown": found.shown,
            "missed": found.missed,
            "missed_since": found.missed_since,
            "accepted": found.accepted,
            "looks": before.looks + 1,
            "lost": before.lost + bool(look.lost),
        }
        if not look.is_lost:
            seen["failures"] = before.failures + (not look.is_answered)
            seen["looked_at"] = look.at
            seen["answered_at"] = look.at if look.is_answered else before.answered_at
        return memory.model_copy(update=seen), alerts

    def _note_lost(self, endpoint: WatchedEndpoint, look: Look) -> None:
        """That this machine could not look is told when it begins."""
        if not look.lost:
            self._lost.pop(endpoint.name, None)
            return
        why = f"{endpoint.name}: {', '.join(look.lost)}: {next(iter(look.lost.values()))}"
        if endpoint.name not in self._lost:
            self._on_message(why)
        self._lost[endpoint.name] = why

    def _of_firmware(self, memory: Memory, at: datetime) -> tuple[list[Memory], list[Alert]]:
        """Which firmware has no server left, now that one endpoint is what it is."""
        memories, alerts = [], list[Alert]()
        for name, facts in self.fleet.dark({**self._state.memories, memory.subject: memory}).items():
            before = self._state.memory(_subject(name))
            after, new_alerts = reconcile(before, facts, (), at, lambda _address: False)
            if after != before:
                memories.append(after)
                alerts += new_alerts
        return memories, alerts

    def forget_others(self) -> None:
        """Resolve what holds of what the config no longer has. Raises LabFault."""
        kept = {endpoint.name for endpoint in self.config.endpoint}
        kept |= {_subject(firmware.name) for firmware in self.fleet.firmware}
        gone = [memory for name, memory in self._state.memories.items() if name not in kept]
        now = self._clock.date()
        alerts = [
            resolved(memory.subject, fact, now, "no longer watched")
            for memory in gone
            for fact in memory.facts.values()
        ]
        self._state.forget([memory.subject for memory in gone], alerts, self.config.alert.channels)
        for alert in alerts:
            self._on_alert(alert)
        lost = self._state.keep_channels(plan.name for plan in self.config.alert.channels)
        if lost:
            self._on_message(
                f"{lost} alerts were queued for channels that are no longer in the config: they are dropped"
            )

    def _report_lost(self) -> None:
        dropped = sum(box.dropped for box in self._state.outboxes.values())
        if dropped > self._dropped:
            self._on_message(f"{dropped} alerts were dropped since a channel takes none: too many are queued")
        self._dropped = dropped

    # -- a round, or for ever ------------------------------------------------------------------------------------------

    async def once(self) -> Round:
        """Look at every endpoint, deliver what can be delivered now, write figures; what is left stays queued."""
        self.forget_others()
        looks = await asyncio.gather(*map(self.look, self.config.endpoint), return_exceptions=True)
        alerts, errors = list[Alert](), list[str]()
        for result in looks:
            if isinstance(result, Exception):
                errors.append(_error_text(result))
            elif isinstance(result, BaseException):
                raise result
            else:
                alerts += result
        self._state.rounds += 1
        await self._deliveries.drain()
        await self._deliveries.close()
        errors += self._write_all()
        for text in dict.fromkeys(errors):
            self._on_message(text)
        errors += self._lost.values()
        return Round(self._clock.date(), tuple(alerts), tuple(self.open_facts()), self.queued(), tuple(errors))

    async def run(self, over: asyncio.Event, ready: Callable[[int | None], None] = lambda _port: None) -> None:
        """Look at every endpoint again and again until `over`; `ready` hears the port of the figures. Raises LabFault
        when that is taken.
        """
        port = None
        listener = MetricsPort(self.config.metrics.listen, self.metrics) if self.config.metrics.listen else None
        tasks: list[asyncio.Task[None]] = []
        try:
            if listener is not None:
                port = await listener.start()
            self.forget_others()
            self._deliveries.start()
            tasks = [asyncio.create_task(self._watch(endpoint)) for endpoint in self.config.endpoint]
            tasks.append(asyncio.create_task(self._keep_metrics()))
            ready(port)
            await over.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._deliveries.close()
            if listener is not None:
                await listener.close()
            for text in self._write_all():
                self._on_message(text)

    async def _watch(self, endpoint: WatchedEndpoint) -> None:
        """One endpoint, for ever: neither a look that fails nor a disk that is full ends it."""
        while True:
            try:
                await self.look(endpoint)
            except Exception as error:
                self._on_message(f"{endpoint.name}: {_error_text(error)}")
            self._count(endpoint)
            await self._clock.pause(self._pause(self._state.memory(endpoint.name)))

    def _count(self, endpoint: WatchedEndpoint) -> None:
        self._looked.add(endpoint.name)
        if len(self._looked) == len(self.config.endpoint):
            self._looked.clear()
            self._state.rounds += 1

    def _pause(self, memory: Memory) -> float:
        """Seconds until the next look: longer and longer where nobody answers."""
        missed = min(memory.missed.values(), default=0) if not memory.is_answering else 0
        longest = max(self.config.longest_pause, self.config.every)
        minutes = min(self.config.every * 2.0 ** min(max(missed - 1, 0), 20), longest)
        return minutes * 60 * self._random.uniform(1 - self.config.jitter, 1 + self.config.jitter)

    # -- what others see -----------------------------------------------------------------------------------------------

    def open_facts(self) -> Iterator[tuple[str, OpenFact]]:
        """All that holds now: subject, fact."""
        for subject, memory in self._state.memories.items():
            for fact in memory.facts.values():
                yield subject, fact

    def queued(self) -> dict[str, int]:
        """How many alerts each channel is still to be told."""
        return {name: len(box.queue) for name, box in self._state.outboxes.items()}

    def metrics(self) -> str:
        """Figures for Prometheus."""
        return metrics_text(self._state, self.config.endpoint, [one.name for one in self.fleet.firmware])

    async def _keep_metrics(self) -> None:
        reported = ""
        while self.config.metrics.file is not None:
            await self._clock.pause(METRICS_SECONDS)
            try:
                write_metrics(self.config.metrics.file, self.metrics())
                reported = ""
            except LabFault as error:
                if reported != str(error):
                    self._on_message(reported := str(error))

    def _write_all(self) -> list[str]:
        """State and figures; returns what went wrong."""
        errors = []
        try:
            self._state.checkpoint()
            if self.config.metrics.file is not None:
                write_metrics(self.config.metrics.file, self.metrics())
        except LabFault as error:
            errors.append(str(error))
        return errors


def _error_text(error: Exception) -> str:
    return str(error) if isinstance(error, RigError) else f"{type(error).__name__}: {error}"


def _subject(firmware: str) -> str:
    return f"firmware {firmware}"
