"""What the source of a test tells of the firmware it asks for, before anything runs: the parts, and an update server.

A test is read with its fixtures and with the functions of its own folder that it calls.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from rig.firmware.roles import all_roles

#: What a test names that has a board ask a server for its update.
_ASKS_SERVER = frozenset({"updates", "HttpsUpdate"})


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: parts by name, the names of tables that others are looked up in, whether a server is asked."""

    roles: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    asks_server: bool = False


def read_test(item: pytest.Function) -> tuple[frozenset[str], bool]:
    """The parts that a test asks for, and whether it has a board ask a server."""
    params: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 (pytest has no public name for it)
    readers = [(item.function, params)]
    for name, definitions in fixtures.items():
        own = {name: params[name]} if name in params else {}
        readers += [(definition.func, own) for definition in definitions]
    roles: set[str] = set()
    asks_server = False
    for function, given in readers:
        for one, found in _read(function, item.path.parent, set()):
            asks_server |= found.asks_server
            roles |= found.roles | _looked_up(found.tables, given, one.__globals__)
    return frozenset(roles), asks_server


def _read(
    function: Callable[..., Any], folder: Path, seen: set[Callable[..., Any]]
) -> Iterator[tuple[FunctionType, Read]]:
    """A function and those it calls, each once, and what it tells; nothing for one that is of another folder."""
    function = inspect.unwrap(function)
    if function in seen or not isinstance(function, FunctionType):
        return
    seen.add(function)
    file = inspect.getsourcefile(function)
    if file is None or Path(file).parent != folder:
        return
    found, names = _read_one(function)
    yield function, found
    for other in (function.__globals__.get(name) for name in sorted(names)):
        if isinstance(other, FunctionType):
            yield from _read(other, folder, seen)


@cache
def _read_one(function: FunctionType) -> tuple[Read, frozenset[str]]:
    """What stands in one function, and all names in it; nothing of one that stands in no file as a whole."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return Read(), frozenset()
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    roles: set[str] = set()
    tables: set[str] = set()
    for asked in _asked_for(tree):
        named = _constants(asked)
        roles |= named or _constants(tree)
        if not named:
            tables |= names
    return Read(frozenset(roles), frozenset(tables), bool(names & _ASKS_SERVER)), frozenset(names)


def _constants(tree: ast.AST) -> set[str]:
    """The parts whose names stand in it."""
    return {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)} & all_roles()


def _asked_for(tree: ast.AST) -> Iterator[ast.AST]:
    """What stands in `image(…)` and `….roles[…]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "image" and node.args:
            yield node.args[0]
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "roles":
            yield node.slice


def _looked_up(tables: frozenset[str], params: Mapping[str, object], module: Mapping[str, object]) -> frozenset[str]:
    """Parts among a case's parameters, and in the rows that these have in a module's tables of those names."""
    if not tables:
        return frozenset()
    known = [table for name in tables if isinstance(table := module.get(name), dict)]
    keys = [value for value in params.values() if isinstance(value, str)]
    rows = [table[key] for table in known for key in keys if key in table]
    return frozenset(text for found in (keys, rows) for text in _texts(found)) & all_roles()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
