"""Each planted fault of the watch is noticed by a named check, by assertion; without it the check passes."""

from __future__ import annotations

import pytest
from mutants_watch import MUTANTS


@pytest.mark.parametrize("name", MUTANTS)
def test_the_named_check_passes_without_the_fault(name, tmp_path):
    _, check = MUTANTS[name]
    check(tmp_path)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_named_check_fails_on_the_fault_by_assertion(name, tmp_path, monkeypatch):
    plant, check = MUTANTS[name]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(tmp_path)
