"""When a sweep of boards is over: its time, its cuts, or what a policy asks for."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from rig.board_sweep.stratum import Stratum
from rig.board_sweep.tally import Tally
from rig.errors import Misuse
from rig.gate.policy import Policy

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_MOST_SECONDS = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Ends:
    """`at_bound` ends it when no phase needs another cut; `seconds` and `cuts` are of this command alone."""

    at_bound: bool = False
    seconds: float = math.inf
    cuts: float = math.inf
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds_left(self) -> float:
        """Until the time is over."""
        return self.seconds - (time.monotonic() - self._began)

    def is_over(self, asked_for: int) -> bool:
        """Whether no cut may be asked for any more, after so many."""
        return asked_for >= self.cuts or self.seconds_left <= 0

    def needs_none_of(
        self, strata: Iterable[Stratum], tally: Tally, policy: Policy, under_way: Iterable[Stratum]
    ) -> bool:
        """Whether these strata have all that the policy asks for, if cuts that are under way land."""
        running = list(under_way)
        judged = tally.judged(policy, strata)
        return self.at_bound and all(judged[stratum].more <= running.count(stratum) for stratum in strata)


def read_duration(text: str) -> float:
    """Seconds of a text such as 90s, 30m or 2h. Raises Misuse."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match is not None else 0.0
    if not 0 < seconds <= _MOST_SECONDS:
        raise Misuse(f"--budget {text!r} is no time", hint="for example 90s, 30m or 2h")
    return seconds
