"""Who may know whom, and that nothing heavy loads at start-up (design: Rooms).

A room knows only rooms before it. A family has rooms of the same names: each stands beside the rig's own of its name,
may know what that one may know, and that one too, never another family. The rig's own rooms know no family.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

RIG = Path(__file__).resolve().parents[2] / "rig"
#: Low to high. Rooms on one line do not know each other. FAMILY is the object that a family gives to the rig.
ORDER = [
    {"__init__", "escape"},
    {"errors"},
    {"registry"},
    {"clock", "ports", "files", "formats", "bounded_log", "limits", "lock_file", "process"},
    {"http_settings", "listener", "lines", "state_folder"},
    {"control"},
    {"firmware", "evidence"},
    {"twin", "drivers"},
    {"trust"},
    {"servers"},
    {"boards"},
    {"power"},
    {"recovery"},
    {"sweep"},
    {"gate"},
    {"campaign"},
    {"family"},
    {"lab"},
    {"board_sweep"},
    {"rack"},
    {"suites"},
    {"terminal"},
    {"plugin", "cli"},
    {"__main__"},
    {"FAMILY"},
]
#: Twins are known to what starts their processes, and to sweeps.
MAY_KNOW_TWIN = {"twin", "lab", "rack", "sweep", "family", "FAMILY"}
#: Rooms that still name a kind of board, in code, in a string or in a comment: this list only gets shorter.
NAMING = {
    *("formats", "drivers", "trust", "servers"),
}


def module(path: Path) -> str:
    return str(path.relative_to(RIG).with_suffix("")).replace("/", ".").removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Modules of the rig, without their first name, that one imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who knows whom"
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [f"rig.{alias.name}" for alias in node.names] if names == ["rig"] else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.removeprefix("rig.") for name in names if name.startswith("rig.")}
    return found - {"__version__"}


def place(name: str) -> tuple[str | None, str]:
    """Whose a module is, a family's or nobody's, and its room."""
    first, *rest = name.split(".")
    if first != "families":
        return None, first
    family, room = [*rest, "FAMILY", "FAMILY"][:2]
    return family, "FAMILY" if room == "family" else room


def level(room: str) -> int:
    return next(number for number, rooms in enumerate(ORDER) if room in rooms)


def is_wrong(own: str, other: str) -> bool:
    """Whether a module must not know the other."""
    (family, room), (its_family, its_room) = place(own), place(other)
    if its_family is not None and its_family != family:
        return True
    if room == its_room:
        return False
    return level(its_room) >= level(room) or (its_room == "twin" and room not in MAY_KNOW_TWIN)


MODULES = sorted(RIG.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=module)
def test_a_room_knows_only_rooms_before_it(path):
    wrong = {(module(path), other) for other in imports(path) if is_wrong(module(path), other)}
    assert not wrong


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("lab.health", "families.esp32.boards.board"),
        ("families.esp32.lab.rack_slot", "families.spark_core.lab.rack_slot"),
        ("families.esp32.boards.board", "families.esp32.power.landing"),
        ("families.esp32.boards.board", "power.cut"),
        ("families.esp32.lab.serial", "terminal.output"),
        ("families.esp32.servers.updates", "twin.flash"),
        ("families.esp32.cli.serial", "families.esp32.family"),
        ("terminal.output", "cli.main"),
    ],
)
def test_who_knows_what_it_should_not_is_found(own, other):
    assert is_wrong(own, other)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("families.esp32.family", "families.esp32.lab.rack_slot"),
        ("families.esp32.boards.board", "boards.board"),
        ("families.esp32.lab.rack_slot", "lab.acquisition"),
        ("families.esp32.cli.serial", "terminal.output"),
        ("families.esp32.sweep.start", "twin.flash"),
    ],
)
def test_a_family_s_room_knows_what_the_rig_s_own_of_its_name_may(own, other):
    assert not is_wrong(own, other)


def circle(modules: dict[str, set[str]]) -> list[str]:
    """Modules that know each other in a circle; none where there is no circle."""
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_a_twin_s_programs_and_the_board_they_run_on_know_each_other_in_no_circle():
    """Not even for their types: a program is given a narrow protocol of what it may do to its board."""
    twins = {module(path): imports(path) for path in MODULES if place(module(path))[1] == "twin"}
    assert circle(twins) == []


def test_a_circle_is_found():
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


def naming_rooms() -> set[str]:
    """The rig's own rooms whose text names a kind of board."""
    own = [path for path in MODULES if place(module(path))[0] is None]
    return {place(module(path))[1] for path in own if re.search("esp32|spark", path.read_text(), re.IGNORECASE)}


def test_no_room_names_a_kind_of_board_that_did_not_before():
    assert naming_rooms() == NAMING, "take a room out that names none any more"


def test_the_command_starts_without_anything_heavy():
    code = "import sys, rig.cli.main; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"labgrid", "pytest", "aiohttp", "pydantic", "usb", "grpc", "allure", "asyncio", "dask", "distributed"}
    assert not heavy & set(loaded)


def test_no_source_is_cited_that_nobody_else_can_open():
    roots = [RIG, *(RIG.parent / name for name in ("tests", "places", "firmware-fixtures"))]
    files = [path for root in roots for kind in ("py", "md", "toml", "yaml") for path in root.rglob(f"*.{kind}")]
    cited = {path.name for path in files if re.search(r"reference/\s*[\w-]+\.md", path.read_text())}
    assert cited == set()
