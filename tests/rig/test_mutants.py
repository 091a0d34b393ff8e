"""Planted faults: each breaks one thing in a twin, a server, a driver or a reader, and a named check must notice.

A check passes on the real code and fails on the mutant by assertion. A row here is a promise: when a check stops
noticing its fault, this table fails. The rows are those of every mutants_*.py in the rooms beside this file.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def tables():
    for path in sorted(HERE.rglob("mutants_*.py")):
        yield import_module(".".join([__package__, *path.relative_to(HERE).with_suffix("").parts])).MUTANTS


TABLES = list(tables())
MUTANTS = {name: row for table in TABLES for name, row in table.items()}
#: The checks, each by the first of its faults: many faults have one in common.
CHECKS = {}
for _name, (_, _check) in MUTANTS.items():
    if _check not in CHECKS.values():
        CHECKS[_name] = _check


def test_no_row_hides_another():
    assert len(MUTANTS) == sum(map(len, TABLES))


@pytest.mark.parametrize("name", CHECKS)
def test_the_named_check_passes_without_the_fault(name, tmp_path):
    CHECKS[name](tmp_path)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_named_check_fails_on_the_fault_by_assertion(name, tmp_path, monkeypatch):
    plant, check = MUTANTS[name]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(tmp_path)
