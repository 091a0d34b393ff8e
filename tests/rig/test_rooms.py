"""Who may know whom: a room imports only rooms before it (design: Rooms), and nothing heavy loads at start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

RIG = Path(__file__).resolve().parents[2] / "rig"
#: Low to high. Rooms on one line do not know each other.
ORDER = [
    {"__init__", "escape"},
    {"errors"},
    {"clock", "ports", "files", "formats", "kept", "limits"},
    {"listener", "lines"},
    {"control"},
    {"firmware", "evidence"},
    {"twin", "drivers"},
    {"trust"},
    {"servers"},
    {"boards"},
    {"power"},
    {"recovery"},
    {"campaign"},
    {"lab"},
    {"plugin", "cli"},
    {"__main__"},
]
MAY_KNOW_TWIN = {"twin", "lab", "campaign"}


def room(path: Path) -> str:
    return path.relative_to(RIG).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who knows whom"
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [f"rig.{alias.name}" for alias in node.names] if names == ["rig"] else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("rig.")}
    return found - {"__version__"}


def level(name: str) -> int:
    return next(number for number, rooms in enumerate(ORDER) if name in rooms)


@pytest.mark.parametrize("path", sorted(RIG.rglob("*.py")), ids=lambda path: str(path.relative_to(RIG)))
def test_a_room_knows_only_rooms_before_it(path):
    own = room(path)
    for other in imports(path) - {own}:
        assert level(other) < level(own), f"{own} knows {other}"
        assert other != "twin" or own in MAY_KNOW_TWIN, f"{own} knows the twins"


def test_the_command_starts_without_anything_heavy():
    code = "import sys, rig.cli.main; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"labgrid", "pytest", "aiohttp", "pydantic", "usb", "grpc", "allure", "asyncio"} & set(loaded)
