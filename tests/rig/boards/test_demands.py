"""No suite fails with a bare `assert False`: it compares, says what it wanted, or demands it of the board."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rig.firmware.checkout import part

SUITES = sorted(part("tests", "boards").rglob("test_*.py"))


def says_nothing(statement: ast.Assert) -> bool:
    """Whether nothing but `assert False` or `assert None` would be told of a failure."""
    if statement.msg is not None:
        return False
    if not isinstance(statement.test, ast.Compare):
        return True
    sides = [statement.test.left, *statement.test.comparators]
    return any(isinstance(side, ast.Constant) and isinstance(side.value, (bool, type(None))) for side in sides)


def bare_asserts(code: str) -> list[int]:
    """The lines of asserts that would tell nothing."""
    return [node.lineno for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assert) and says_nothing(node)]


#: A statement, and whether it is bare.
STATEMENTS = {
    "assert board.is_alive(4)": True,
    "assert not board.log.version()": True,
    "assert board.observe(4) is None": True,
    "assert told['ok'] is True": True,
    "assert a == 1 or b == 2": True,
    "assert online.call('echo') == 1": False,
    "assert board.log.version() == '1.2'": False,
    "assert b'slot 1' in board.log.said()": False,
    "assert told['ok'], told['reason']": False,
    "board.must.be_alive(4)": False,
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_bare_assert_is_known(statement):
    assert bool(bare_asserts(statement)) == STATEMENTS[statement]


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.name)
def test_a_suite_has_no_bare_assert(suite: Path):
    assert bare_asserts(suite.read_text()) == []
