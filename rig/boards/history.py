"""What was done to one board and what it showed of itself, each with its moment: what a fault of it is told with."""

from __future__ import annotations

import time
from collections import deque

from rig.evidence.timeline import Moment

#: The action after which nothing before it matters.
KNOWN = "brought to its known state"
#: Who sees actions; every other source sees signs.
RIG = "rig"
NOTHING = "nothing"
#: The newest moments are kept, and the newest actions told.
MOST, MOST_TOLD = 500, 3


class History:
    """Actions and signs of a board, oldest first. A sign is added when it changes, by `source`: usb, cloud, console."""

    def __init__(self) -> None:
        self.moments: deque[Moment] = deque(maxlen=MOST)
        self._shown: dict[str, str] = {}

    def add_action(self, action: str) -> None:
        """Something was done to the board."""
        self._note(RIG, action)

    def add_sign(self, source: str, sign: str | None) -> None:
        """The board shows a sign now, None for nothing."""
        shown = sign or NOTHING
        if self._shown.get(source, NOTHING) != shown:
            self._shown[source] = shown
            self._note(source, shown)

    @property
    def last_actions(self) -> str:
        """What was done last, in words: the actions since the known state, no more than three."""
        actions = [moment.text for moment in self._since_known() if moment.source == RIG and moment.text != KNOWN]
        return ", ".join(actions[-MOST_TOLD:]) or f"was {KNOWN}"

    def signs_since(self, at_ns: int) -> list[str]:
        """The signs that the board has shown since a moment (monotonic), what stood then among them; each once."""
        stood = {moment.source: moment.text for moment in self.moments if moment.source != RIG and moment.ns < at_ns}
        later = [moment.text for moment in self.moments if moment.source != RIG and moment.ns >= at_ns]
        return [sign for sign in dict.fromkeys([*stood.values(), *later]) if sign != NOTHING]

    def up_to(self, at_ns: int) -> History:
        """The history as it was at a moment (monotonic)."""
        before = History()
        before.moments.extend(moment for moment in self.moments if moment.ns <= at_ns)
        return before

    def seconds_since_action(self) -> float:
        """For how long nothing has been done to the board; 0 where nothing ever was."""
        actions = [moment.ns for moment in self.moments if moment.source == RIG]
        return (time.monotonic_ns() - actions[-1]) / 1e9 if actions else 0.0

    def _since_known(self) -> list[Moment]:
        moments = list(self.moments)
        known = [number for number, moment in enumerate(moments) if moment.text == KNOWN and moment.source == RIG]
        return moments[known[-1] :] if known else moments

    def _note(self, source: str, text: str) -> None:
        self.moments.append(Moment(time.monotonic_ns(), source, text))
