"""The generations of a Core's bootloader as cases of a suite."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def on_generations(names: Iterable[str], *, always: str = "abc", **tags: str) -> pytest.MarkDecorator:
    """Run on a Core of each generation named, one case each; the test asks for `generation`.

    `"abc"` names three; where `a2013` is among them it takes a tuple. Cases that are not among `always` are long ones:
    they run every night, not every time.
    """
    cases = []
    for name in names:
        marks = [pytest.mark.board("spark-core", mode="wired", generation=name, **tags)]
        if name not in always:
            marks.append(pytest.mark.long)
        cases.append(pytest.param(name, marks=marks))
    return pytest.mark.parametrize("generation", cases)
