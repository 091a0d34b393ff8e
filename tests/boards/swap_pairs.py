"""Scenarios that nobody thought of: kinds of swap, moments, failover and clocks, so that every pair of them meets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations, product

from rig.trust.recipe import IdentityRecipe
from rig.trust.scenario import Scenario

#: Which hosts a cast's firmware asks, who certifies them there, and whether it checks dates.
CASTS = {
    "default": (("updates.rig.test",), ("rig-intermediate",), False),
    "dates": (("updates.rig.test",), ("rig-intermediate",), True),
    "fleet-2.0.2": (
        ("ota2.deploythefleet.com", "ota4.deploythefleet.com"), ("lets-encrypt-r10", "dtf-root-x1"), False,
    ),
}  # fmt: skip
#: What comes in place of the identity of before, and whether firmware that pins the root takes it.
SWAPS = {"renewed": True, "another-root": False, "for-another-name": False, "ended": None}
WHENS = ("idle", "off", "mid-download", "during-cut")
FAILOVERS = ("kept", "moved")
CLOCKS = {"now": None, "1970": datetime(1970, 1, 1, tzinfo=UTC), "ten-years-on": datetime(2036, 11, 22, tzinfo=UTC)}
Row = tuple[str, ...]


def pairs(*factors: Sequence[str]) -> list[Row]:
    """Few rows in which every value of each factor meets every value of each other, greedily."""
    at = list(combinations(range(len(factors)), 2))
    open_ones = {(i, j, a, b) for i, j in at for a in factors[i] for b in factors[j]}
    rows: list[Row] = []
    while open_ones:
        best = max(product(*factors), key=lambda row: len(_met(row, at) & open_ones))
        rows.append(best)
        open_ones -= _met(best, at)
    return rows


def _met(row: Row, at: Sequence[tuple[int, int]]) -> set[tuple[int, int, str, str]]:
    return {(i, j, row[i], row[j]) for i, j in at}


def rows() -> list[Row]:
    """Cast, swap, moment, failover and clock."""
    return pairs(list(CASTS), list(SWAPS), WHENS, FAILOVERS, list(CLOCKS))


def scenario(row: Row) -> Scenario:
    """A row as a scenario, with what its firmware is expected to do."""
    cast, swap, when, failover, clock = row
    hosts, authorities, _ = CASTS[cast]
    before = {host: IdentityRecipe(under=under) for host, under in zip(hosts, authorities, strict=True)}
    changes = [swap, swap if failover == "moved" else "kept"]
    after = dict(_after(before, changes))
    return Scenario(
        name="-".join(row),
        about=f"{swap} {when}, the failover {failover}, the clock {clock}",
        when=when,
        before=before,
        after=after,
        clock_after=CLOCKS[clock],
        expects={cast: _expected(row, changes)},
    )


def _after(before: Mapping[str, IdentityRecipe], changes: Sequence[str]) -> Iterator[tuple[str, IdentityRecipe]]:
    new: dict[str, dict[str, object]] = {
        "renewed": {"days": 60},
        "another-root": {"under": "other-intermediate"},
        "for-another-name": {"names": ("www.rig.test",)},
        "ended": {"begins": datetime(2024, 6, 1, tzinfo=UTC), "days": 90},
    }
    for (host, recipe), change in zip(before.items(), changes, strict=False):
        if change != "kept":
            yield host, recipe.model_copy(update=new[change])


def _expected(row: Row, changes: Sequence[str]) -> str:
    """The rule in words: whoever checks dates needs a clock that is right; the others need issuer and name only."""
    cast, _, _, _, clock = row
    hosts, _, dates = CASTS[cast]
    bundle = cast == "fleet-2.0.2"
    failures = []
    for number in range(len(hosts)):
        failure = _failure(changes[number], clock if dates else "", pinned=not (bundle and number == 0))
        if failure is None:
            return f"fails-over ({', '.join(failures)})" if failures else "served"
        failures.append(failure)
    return f"dark ({', '.join(failures)})"


def _failure(change: str, clock: str, *, pinned: bool) -> str | None:
    if change == "for-another-name":
        return "bad_certificate"
    late = clock == "ten-years-on" or (clock == "now" and change == "ended")
    if late:  # mbedTLS names the end of a certificate before its issuer
        return "certificate_expired"
    if change == "another-root":
        return "unknown_ca" if pinned else "access_denied"
    return "certificate_unknown" if clock == "1970" else None
