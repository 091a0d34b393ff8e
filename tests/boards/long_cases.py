"""Cases of a table of which some run every time, and the others every night."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def some_always(cases: Iterable[str], *always: str) -> list[object]:
    """For `parametrize`: those among `always` as they are, the others marked `long`."""
    return [case if case in always else pytest.param(case, marks=pytest.mark.long) for case in cases]
