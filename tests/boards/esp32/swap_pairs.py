"""Scenarios that nobody thought of: kinds of swap, moments, failover and clocks, so that every pair of them meets.

They are played with firmware on which all four act: it has a second host to turn to, and checks dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations, product

from rig.trust.recipe import IdentityRecipe
from rig.trust.scenario import Scenario

VARIANT = "fleet-dates"
BEFORE = {
    "ota2.deploythefleet.com": IdentityRecipe(under="lets-encrypt-r10", key="rsa-2048"),
    "ota4.deploythefleet.com": IdentityRecipe(under="dtf-root-x1", key="rsa-2048"),
}
#: What comes in place of the identity of before.
SWAPS: dict[str, dict[str, object]] = {
    "renewed": {"days": 60},
    "another-root": {"under": "other-intermediate"},
    "for-another-name": {"names": ("www.rig.test",)},
    "ended": {"begins": datetime(2024, 9, 1, tzinfo=UTC), "days": 90},
}
WHENS = ("idle", "off", "mid-download", "during-cut")
FAILOVERS = ("kept", "moved")
CLOCKS = {"now": None, "1970": datetime(1970, 1, 1, tzinfo=UTC), "ten-years-on": datetime(2036, 11, 22, tzinfo=UTC)}

#: The alert for each swap at each clock, None for what is taken. Facts are of esp_tls_mbedtls.c and of mbedTLS,
#: which names a wrong name before the end of a certificate, that before its issuer, and all others least. The bundle
#: vouches for the topmost certificate (access_denied where it does not) unless more is wrong with it: at 1970
#: intermediates have not begun, ten years on R10 has ended.
BY_BUNDLE = {
    "renewed": {"now": None, "1970": "unknown_ca", "ten-years-on": "certificate_expired"},
    "another-root": {"now": "access_denied", "1970": "unknown_ca", "ten-years-on": "access_denied"},
    "for-another-name": dict.fromkeys(CLOCKS, "bad_certificate"),
    "ended": {"now": "certificate_expired", "1970": "unknown_ca", "ten-years-on": "certificate_expired"},
}
BY_PIN = {
    "renewed": {"now": None, "1970": "certificate_unknown", "ten-years-on": "certificate_expired"},
    "another-root": {"now": "unknown_ca", "1970": "unknown_ca", "ten-years-on": "certificate_expired"},
    "for-another-name": dict.fromkeys(CLOCKS, "bad_certificate"),
    "ended": {"now": "certificate_expired", "1970": "certificate_unknown", "ten-years-on": "certificate_expired"},
}
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
    """Swap, moment, failover and clock."""
    return pairs(list(SWAPS), WHENS, FAILOVERS, list(CLOCKS))


def scenario(row: Row) -> Scenario:
    """A row as a scenario, with what its firmware is expected to do."""
    swap, when, failover, clock = row
    changes = {host: swap if number == 0 or failover == "moved" else "kept" for number, host in enumerate(BEFORE)}
    return Scenario(
        name="-".join(row),
        about=f"{swap} {when}, the failover {failover}, the clock {clock}",
        when=when,
        before=BEFORE,
        after=dict(_after(changes)),
        clock_after=CLOCKS[clock],
        expects={VARIANT: _expected(changes, clock)},
    )


def _after(changes: Mapping[str, str]) -> Iterator[tuple[str, IdentityRecipe]]:
    for host, change in changes.items():
        if change != "kept":
            yield host, BEFORE[host].model_copy(update=SWAPS[change])


def _expected(changes: Mapping[str, str], clock: str) -> str:
    failures = []
    for (host, change), table in zip(changes.items(), (BY_BUNDLE, BY_PIN), strict=True):
        failure = table["renewed" if change == "kept" else change][clock]
        if failure is None:
            return f"fails-over ({', '.join(failures)}) to {host}" if failures else "served"
        failures.append(failure)
    return f"dark ({', '.join(failures)})"
