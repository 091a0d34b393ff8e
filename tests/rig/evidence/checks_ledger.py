"""Checks of the ledger's chain, each with a planted fault."""

from __future__ import annotations

from rig.evidence import ledger
from tests.rig.evidence import test_ledger


def a_changed_ledger_line_is_noticed(tmp_path):
    path = test_ledger.write(tmp_path / "main.jsonl", 3)
    path.write_bytes(path.read_bytes().replace(b'"trial":"1"', b'"trial":"7"'))
    noticed = False
    try:
        list(ledger.read_ledger(path))
    except ledger.Misuse:
        noticed = True
    assert noticed
