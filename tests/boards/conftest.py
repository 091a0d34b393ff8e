"""What the suites share: the generations of a Core's bootloader as cases."""

from __future__ import annotations

import pytest


def on_generations(letters: str, **tags: str) -> pytest.MarkDecorator:
    """Run on a Core of each generation named, one case each; the test asks for `generation`."""
    cases = [
        pytest.param(letter, marks=pytest.mark.board("spark-core", mode="wired", generation=letter, **tags))
        for letter in letters
    ]
    return pytest.mark.parametrize("generation", cases)
