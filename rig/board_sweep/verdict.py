"""What a board sweep comes to, for its exit status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rig.board_sweep.stratum import Stratum
from rig.board_sweep.sweep import Fault
from rig.board_sweep.tally import Tally
from rig.errors import DeviceFault, LabFault, Misuse
from rig.gate.judged import EXCEEDED, NEED_MORE
from rig.gate.policy import Policy


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line for each reason; status 0 is that every phase met its bound, and nothing speaks against it."""

    status: int
    reasons: list[str]


def verdict_of(tally: Tally, policy: Policy, strata: Iterable[Stratum], faults: Sequence[Fault]) -> Verdict:
    """Dead boards, disagreements and exceeded rates are 1; what is missing is 3, and what broke is what it says."""
    judged = tally.judged(policy, strata)
    found: list[tuple[int, str]] = [(fault.status, fault.text) for fault in faults]
    found += [(DeviceFault.exit_status, f"dead: {swept.capsule}") for swept in tally.dead]
    found += [
        (DeviceFault.exit_status, f"{swept.became} is not what the model says: {swept.capsule}")
        for swept in tally.disagreements
    ]
    for stratum, one in judged.items():
        rate = f"{one.failures} of {one.cuts} needed a hand, and {one.tolerated:.3%} is tolerated"
        if one.word == EXCEEDED:
            found.append((DeviceFault.exit_status, f"{stratum}: {rate}"))
        elif one.word == NEED_MORE:
            found.append((LabFault.exit_status, f"{stratum}: {one.more:,} more landed cuts"))
    found += [] if judged else [(LabFault.exit_status, "no board was swept")]
    statuses = {status for status, _ in found}
    order = (Misuse.exit_status, DeviceFault.exit_status, LabFault.exit_status)
    return Verdict(next((status for status in order if status in statuses), 0), [text for _, text in found])
