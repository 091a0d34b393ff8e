"""The generations of a Core's bootloader as cases of a suite."""

from __future__ import annotations

import pytest


def on_generations(letters: str, *, always: str = "abc", **tags: str) -> pytest.MarkDecorator:
    """Run on a Core of each generation named, one case each; the test asks for `generation`.

    Cases that are not among `always` are long ones: they run every night, not every time.
    """
    cases = []
    for letter in letters:
        marks = [pytest.mark.board("spark-core", mode="wired", generation=letter, **tags)]
        if letter not in always:
            marks.append(pytest.mark.long)
        cases.append(pytest.param(letter, marks=marks))
    return pytest.mark.parametrize("generation", cases)
