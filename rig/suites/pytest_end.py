"""What plain pytest says of boards at its end: which of them were not real, and which known defects were seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from rig import escape
from rig.evidence.compared import seen_defects
from rig.evidence.results import PASSED, TestResult
from rig.evidence.testbed import HARDWARE, VIRTUAL_TIERS


def end_lines(stats: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """The lines; `stats` is what pytest's terminal reporter has kept, reports of tests among it."""
    reports = [each for found in stats.values() for each in found if isinstance(each, pytest.TestReport)]
    properties: dict[str, dict[str, str]] = defaultdict(dict)
    for report in reports:
        properties[report.nodeid].update({name: str(value) for name, value in report.user_properties})
    yield from _boards(properties.values())
    for defect in seen_defects(TestResult(test, PASSED, 0.0, properties=known) for test, known in properties.items()):
        yield escape.one_line(f"known defect seen: {defect.title} ({defect.name})")


def _boards(tests: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """The boards that were not real, or of which nobody says that they were, by their tiers."""
    tiers: dict[str, set[str]] = defaultdict(set)
    for properties in tests:
        if place := properties.get("place"):
            tiers[properties.get("tier", "unknown")].add(place)
    for tier, places in sorted(tiers.items()):
        if tier != HARDWARE:
            word = "VIRTUAL boards" if tier in VIRTUAL_TIERS else "boards not proven to be real"
            yield escape.one_line(f"{word} (tier {tier}): {', '.join(sorted(places))}")
