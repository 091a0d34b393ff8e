"""The watch's state: memories of subjects, and what each channel is still to be told. Each step is on the disk first.

A look's memory and the alerts it gave are one line: after a death there are both, or neither, and then the next look
finds the same again. An alert leaves a channel's queue with a line of its own, after it was delivered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rig.errors import Misuse
from rig.trust.watch.config import LEVELS, Command, Webhook
from rig.trust.watch.journal import Journal, Line
from rig.trust.watch.memory import Alert, Memory

FILE = "watch.jsonl"
#: Beyond it a channel that nobody mends loses its oldest alerts; figures and the log say so.
MOST_QUEUED = 10_000


@dataclass(slots=True)
class Outbox:
    """What one channel is still to be told, in order; `retry_at` is when after the last of `failures` in a row."""

    queue: deque[Alert] = field(default_factory=deque)
    failures: int = 0
    retry_at: datetime | None = None
    #: Ever.
    delivered: int = 0
    failed: int = 0
    dropped: int = 0

    def put(self, alert: Alert) -> None:
        """Queue an alert; with far too many the oldest goes."""
        self.queue.append(alert)
        if len(self.queue) > MOST_QUEUED:
            self.queue.popleft()
            self.dropped += 1

    def take(self, alert: str) -> None:
        """It was delivered."""
        if self.queue and self.queue[0].alert == alert:
            self.queue.popleft()
        else:
            self.queue = deque(one for one in self.queue if one.alert != alert)
        self.delivered, self.failures, self.retry_at = self.delivered + 1, 0, None

    def postpone(self, alert: str, retry_at: datetime) -> None:
        """It was not delivered: all of its fact go to the end, so that one alert that is never taken stops no other."""
        facts = {one.fact for one in self.queue if one.alert == alert}
        self.queue = deque(sorted(self.queue, key=lambda one: one.fact in facts))
        self.failures, self.failed, self.retry_at = self.failures + 1, self.failed + 1, retry_at


class WatchState:
    """All of it, in a folder that one process at a time may have. Raises Misuse, LabFault."""

    def __init__(self, folder: Path):
        self._journal = Journal(folder / FILE)
        self.memories: dict[str, Memory] = {}
        self.outboxes: dict[str, Outbox] = {}
        #: Times that all endpoints were looked at.
        self.rounds = 0
        try:
            for number, line in enumerate(self._journal.lines, start=2):
                try:
                    self._replay(line)
                except (ValidationError, KeyError, TypeError, ValueError) as error:
                    where, what = f"{self._journal.path}:{number}", str(error).splitlines()[0]
                    raise Misuse(f"{where}: not a line of a watch's state: {what}") from None
        except Misuse:
            self._journal.close()
            raise
        self.torn = self._journal.torn
        self._journal.lines.clear()

    def memory(self, subject: str) -> Memory:
        """What is known of a subject."""
        return self.memories.get(subject) or Memory(subject=subject)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def record(
        self, memories: Iterable[Memory], alerts: Sequence[Alert], channels: Sequence[Webhook | Command]
    ) -> None:
        """Remember, and queue alerts with each channel that wants them: all of it at once. Raises LabFault."""
        memories = list(memories)
        if alerts or any(one.differs(self.memory(one.subject)) for one in memories):
            wanted = [(alert, _wanting(alert, channels)) for alert in alerts]
            entries = [{**alert.model_dump(mode="json"), "channels": names} for alert, names in wanted]
            kept = [one.model_dump(mode="json", exclude_defaults=True) for one in memories]
            self._journal.append({"kind": "seen", "memories": kept, "alerts": entries})
            for alert, names in wanted:
                self._queue(alert, names)
        for one in memories:
            self.memories[one.subject] = one
        if alerts:
            self._journal.sync()
        self._renew_if_long()

    def forget(self, subjects: Iterable[str], alerts: Sequence[Alert], channels: Sequence[Webhook | Command]) -> None:
        """Subjects that are no longer watched. Raises LabFault."""
        gone = [subject for subject in subjects if subject in self.memories]
        if gone:
            self.record([Memory(subject=subject) for subject in gone], alerts, channels)
            for subject in gone:
                del self.memories[subject]

    def delivered(self, channel: str, alert: str) -> None:
        """A channel took an alert. Raises LabFault, and then this process at least does not send it again."""
        self._outbox(channel).take(alert)
        self._journal.append({"kind": "delivered", "channel": channel, "alert": alert})
        self._journal.sync()
        self._renew_if_long()

    def failed(self, channel: str, alert: str, retry_at: datetime) -> None:
        """A channel did not take an alert. Raises LabFault."""
        self._outbox(channel).postpone(alert, retry_at)
        line = {"kind": "failed", "channel": channel, "alert": alert, "retry_at": retry_at.isoformat()}
        self._journal.append(line)
        self._renew_if_long()

    def keep_channels(self, names: Iterable[str]) -> int:
        """Drop channels that are no longer there; returns how many alerts were still to be told to them."""
        wanted = set(names)
        lost = sum(len(box.queue) for name, box in self.outboxes.items() if name not in wanted)
        self.outboxes = {name: self._outbox(name) for name in wanted}
        return lost

    def checkpoint(self) -> None:
        """Write all of it anew, with the figures that no single step writes. Raises LabFault."""
        self._journal.renew(self._lines())

    def close(self) -> None:
        """Let another process have it."""
        self._journal.close()

    # -- lines ---------------------------------------------------------------------------------------------------------

    def _replay(self, line: Mapping[str, Any]) -> None:
        kind = line["kind"]
        if kind == "seen":
            for fields in line["memories"]:
                memory = Memory.model_validate(fields)
                self.memories[memory.subject] = memory
            for fields in line["alerts"]:
                names = fields.pop("channels")
                self._queue(Alert.model_validate(fields), names)
        elif kind == "delivered":
            self._outbox(line["channel"]).take(line["alert"])
        elif kind == "failed":
            self._outbox(line["channel"]).postpone(line["alert"], datetime.fromisoformat(line["retry_at"]))
        elif kind == "channel":
            box = self._outbox(line["channel"])
            box.queue = deque(Alert.model_validate(fields) for fields in line["queue"])
            box.failures, box.failed = int(line["failures"]), int(line["failed"])
            box.delivered, box.dropped = int(line["delivered"]), int(line["dropped"])
            box.retry_at = datetime.fromisoformat(line["retry_at"]) if line["retry_at"] is not None else None
        elif kind == "rounds":
            self.rounds = int(line["rounds"])
        else:
            raise ValueError(f"kind {kind!r}")

    def _lines(self) -> Iterator[Line]:
        yield {"kind": "rounds", "rounds": self.rounds}
        for memory in self.memories.values():
            content = memory.model_dump(mode="json", exclude_defaults=True)
            yield {"kind": "seen", "memories": [content], "alerts": []}
        for name, box in self.outboxes.items():
            yield {
                "kind": "channel",
                "channel": name,
                "queue": [alert.model_dump(mode="json") for alert in box.queue],
                "failures": box.failures,
                "failed": box.failed,
                "retry_at": box.retry_at.isoformat() if box.retry_at is not None else None,
                "delivered": box.delivered,
                "dropped": box.dropped,
            }

    def _outbox(self, channel: str) -> Outbox:
        return self.outboxes.setdefault(channel, Outbox())

    def _queue(self, alert: Alert, channels: Iterable[str]) -> None:
        for name in channels:
            self._outbox(name).put(alert)

    def _renew_if_long(self) -> None:
        if self._journal.is_long:
            self.checkpoint()


def _wanting(alert: Alert, channels: Sequence[Webhook | Command]) -> list[str]:
    """Channels for an alert of this level."""
    return [one.name for one in channels if LEVELS.index(alert.level) >= LEVELS.index(one.least)]
