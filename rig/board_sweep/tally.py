"""What a sweep's cuts come to, line by line of its ledger: the same while it goes on, and when it is read again.

A control cut vouches for a board's cuts since the one before. Where it fails they are suspect, and do not count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rig.board_sweep.stratum import DISAGREES, Fell, Stratum, Swept
from rig.gate.judged import Judged, judge
from rig.gate.policy import Policy

#: Kinds of lines beside those of the bench.
SWEPT, CONTROL, BEGUN = "swept", "control", "board-sweep"


@dataclass(slots=True)
class Counts:
    """Of one stratum; `aimed` is the sum of all that follow but `suspect`, which are not in it."""

    fell: Counter[Fell] = field(default_factory=Counter)
    #: Whether boards of landed cuts needed a hand, in order.
    needed_hand: list[bool] = field(default_factory=list)
    #: Boards that needed a hand after cuts that count for nothing: elsewhere, inferred, or missed.
    needed_hand_apart: int = 0
    dead: int = 0
    late: int = 0
    suspect: int = 0

    @property
    def aimed(self) -> int:
        """All cuts that count as made."""
        return self.fell.total()


class Tally:
    """Counts lines as they come."""

    def __init__(self) -> None:
        #: Cuts of each place since its last control cut that passed.
        self._unvouched: dict[str, list[Swept]] = defaultdict(list)
        self._vouched: list[Swept] = []
        self._suspect: list[Swept] = []
        #: Places whose board failed a control cut, and why.
        self.failed_controls: dict[str, str] = {}

    def add(self, line: Mapping[str, Any]) -> None:
        """Take one line of a ledger; others than a board sweep's are left alone."""
        if line["kind"] == SWEPT:
            swept = Swept.from_dict(dict(line))
            self._unvouched[swept.place].append(swept)
        elif line["kind"] == CONTROL:
            since = self._unvouched.pop(str(line["place"]), [])
            (self._vouched if line["passed"] else self._suspect).extend(since)
            if not line["passed"]:
                self.failed_controls[str(line["place"])] = str(line["reason"])

    @property
    def cuts(self) -> list[Swept]:
        """All that count, vouched for or not yet, in the order in which they were asked for."""
        pending = (swept for some in self._unvouched.values() for swept in some)
        return sorted((*self._vouched, *pending), key=lambda swept: swept.number)

    @property
    def made(self) -> int:
        """How many cuts were made, whether they count or not."""
        return len(self.cuts) + len(self._suspect)

    @property
    def next_number(self) -> int:
        """The number of the cut that is asked for next, if none is under way."""
        return max((swept.number for swept in (*self.cuts, *self._suspect)), default=0) + 1

    @property
    def disagreements(self) -> list[Swept]:
        """Cuts after which a board became what the model does not know."""
        return [swept for swept in self.cuts if swept.model == DISAGREES]

    @property
    def dead(self) -> list[Swept]:
        """Cuts that nothing healed."""
        return [swept for swept in self.cuts if swept.dead]

    def counts(self, strata: Iterable[Stratum] = ()) -> dict[Stratum, Counts]:
        """By stratum; those that are named are there even if nobody aimed at them."""
        found: dict[Stratum, Counts] = {stratum: Counts() for stratum in strata}
        for swept in self.cuts:
            counts = found.setdefault(swept.stratum, Counts())
            counts.fell[swept.fell] += 1
            counts.dead += swept.dead
            counts.late += swept.late
            if swept.fell is Fell.LANDED:
                counts.needed_hand.append(swept.needed_hand)
            else:
                counts.needed_hand_apart += swept.needed_hand
        for swept in self._suspect:
            found.setdefault(swept.stratum, Counts()).suspect += 1
        return found

    def judged(self, policy: Policy, strata: Iterable[Stratum] = ()) -> dict[Stratum, Judged]:
        """What each stratum comes to under a policy."""
        return {
            stratum: judge(counts.needed_hand, policy, policy.tolerates(stratum.board, stratum.path, stratum.phase))
            for stratum, counts in self.counts(strata).items()
        }


def next_stratum(tally: Tally, policy: Policy, strata: Iterable[Stratum], under_way: Iterable[Stratum]) -> Stratum:
    """The stratum that has had the least of what it still needs; cuts that are under way count as made.

    Attempts are compared, not landings: a phase that is never hit does not keep all others waiting. When all have what
    they need the one with the fewest cuts is next.
    """
    wanted, running = list(strata), Counter(under_way)
    counts, judged = tally.counts(wanted), tally.judged(policy, wanted)

    def had(stratum: Stratum) -> tuple[bool, float, int]:
        attempts = counts[stratum].aimed + running[stratum]
        needs = judged[stratum].more
        return needs == 0, attempts / (len(counts[stratum].needed_hand) + needs or 1), wanted.index(stratum)

    return min(wanted, key=had)
