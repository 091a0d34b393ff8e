"""A family from outside, by the guide "Add your board": its every command works, and nothing of it is in the rig."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import psutil
import pytest

import rig as package
from rig.errors import LabFault
from rig.evidence.ledger import read_ledger
from rig.family.contract import BoardFamily
from tests.rig.families.guide import GUIDE, Reader, blocks, commands
from tests.rig.families.pinboards import PROJECT
from tests.rig.test_rooms import is_wrong
from tests.rig.waiting import HANGS, until

from pinboard.drivers import Wire  # isort: skip

SOURCES = sorted(path for path in (PROJECT / "pinboard").glob("*.py") if path.stem != "__init__")
#: One worker runs them all: they share a rack.
pytestmark = pytest.mark.xdist_group("pinboard")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    follows = Reader(tmp_path_factory.mktemp("reader"))
    try:
        follows.follow()
        yield follows
    finally:
        follows.end()


def says(reader: Reader, *words: str) -> str:
    """What the guide's command with these words said."""
    (command,) = (command for command in reader.said if all(word in command for word in words))
    return reader.said[command]


@pytest.mark.long
def test_every_command_of_the_guide_works(reader):
    assert [command for command in commands() if command.startswith(("rig", "labgrid"))] == [
        command for command in reader.said if not command.startswith("cp")
    ]


@pytest.mark.long
def test_stock_labgrid_knows_its_boards(reader):
    assert says(reader, "places").split() == ["pinboard-01", "pinboard-02"]
    assert "acquired place pinboard-01" in says(reader, "acquire")


@pytest.mark.long
def test_its_twin_alone_tells_where_its_ports_are(reader):
    ready = json.loads(says(reader, "rig twin"))
    assert {"ready", "wire", "control"} <= ready.keys()


@pytest.mark.long
def test_its_images_are_known_by_what_their_files_tell(reader):
    told = says(reader, "firmware check")
    assert "application for pinboard" in told
    assert "nothing is wrong" in told
    assert "crashes" in says(reader, "firmware list")


@pytest.mark.long
def test_its_suite_passes_with_its_cuts_where_they_were_aimed(reader):
    told = says(reader, "rig run", "suite")
    results = re.findall(r"^(\w+) +updates: (.*?)  ", told, re.M)
    assert [result for result, _ in results] == ["passed"] * 5, told
    assert "[while it is copied]  pinboard-" in told
    assert "copy → stranded" in told
    assert "download → old" in told
    assert "cut-in-copy-strands" in told


@pytest.mark.long
def test_what_the_run_leaves_is_evidence(reader):
    report = reader.folder / "report"
    lines = [line for path in (report / "ledger").glob("*.jsonl") for line in read_ledger(path)]
    cuts = [line for line in lines if line["kind"] == "cut"]
    assert {(cut["board"], cut["path"], cut["landing"]["phase"], cut["outcome"]["rung"]) for cut in cuts} >= {
        ("pinboard", "tcp", "download", "self"),
        ("pinboard", "tcp", "copy", "reflash"),
    }
    assert list(report.glob("cut-map-pinboard-tcp-*.svg"))
    assert "cut-map-pinboard-tcp" in (report / "summary.md").read_text()
    assert says(reader, "ledger verify")


@pytest.mark.long
def test_a_board_comes_through_its_control_cut(reader):
    assert re.search(r"pinboard-01 .*ok", says(reader, "control-cut"))


@pytest.mark.long
def test_a_rack_of_it_has_no_server_of_other_boards(reader):
    assert [part for part in parts(reader) if "cloud" in part] == []
    assert len(parts(reader)) == 5, "two boards, relay, exporter, coordinator"


@pytest.mark.long
def test_its_twin_that_dies_is_started_again_on_the_port_it_had(reader):
    shown = reader.run("labgrid-client -p pinboard-02 show")
    (port,) = re.findall(r"'port': (\d+)", shown)
    reader.ends_in = LabFault.exit_status
    next(process for part, process in parts(reader).items() if "/pinboard-02" in part).kill()
    (rack,) = reader.serving
    assert rack.stderr.readline().startswith("rig: pinboard-02 died")
    wire = Wire("127.0.0.1", int(port), board="pinboard-02")
    until(lambda: answers(wire), "it to answer again", seconds=HANGS)


def parts(reader: Reader) -> dict[str, psutil.Process]:
    """The processes of the reader's rack by their commands."""
    (rack,) = reader.serving
    return {" ".join(child.cmdline()): child for child in psutil.Process(rack.pid).children()}


def answers(wire: Wire) -> bool:
    """Whether the board at a port says what it is."""
    try:
        return wire.ask("hello", "app") == "1.0"
    except LabFault:
        return False


@pytest.mark.long
def test_it_keeps_what_every_board_must_keep(reader):
    told = says(reader, "rig run", "lab/lab.yaml")
    assert re.findall(r"^(\w+) +contracts: .* \[pinboard\]", told, re.M) == ["passed"] * 3, told


@pytest.mark.long
def test_its_lab_names_its_port(reader):
    exporter = (reader.folder / "lab" / "exporter.yaml").read_text()
    assert "pinboard-01:" in exporter
    assert "port: 4001" in exporter
    assert re.findall(r"coil: (\d)", exporter) == ["0", "1"], "no other board takes a channel of its relay"


def test_the_guide_names_each_member_of_the_contract_and_each_file():
    members = [name for name in (*BoardFamily.__annotations__, *vars(BoardFamily)) if not name.startswith("_")]
    rows = re.findall(r"^\| (`.*?) \|.*\| `(\w+\.py)` \|$", GUIDE, re.M)
    assert re.findall(r"`(\w+)`", "".join(names for names, _ in rows)) == members
    named = set(re.findall(r"`(\w+\.py)`", GUIDE))
    assert named == {path.name for path in SOURCES}
    assert all((PROJECT / name).is_file() for name in re.findall(r"`((?:suite|firmware)/[\w.]+)`", GUIDE))


def test_the_entry_point_is_as_the_guide_prints_it():
    (printed,) = blocks("toml")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert tomllib.loads(printed)["project"]["entry-points"] == project["entry-points"]


def test_nothing_of_it_is_in_the_rig():
    sources = {str(path): path.read_text() for path in Path(package.__path__[0]).rglob("*.py")}
    assert [path for path, text in sources.items() if "pinboard" in text.lower()] == []


#: A module of a pinboard is called after its room, but for these.
ROOMS = {"memory": "twin", "programs": "twin", "process": "lab"}


def in_the_rig(module: str) -> str:
    """What a module of a pinboard or of the rig would be called if it were in the rig."""
    package, _, name = module.partition(".")
    if package == "rig":
        return name
    return f"families.pinboard.{name}" if name == "family" else f"families.pinboard.{ROOMS.get(name, name)}.{name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_its_modules_know_what_rooms_of_their_names_may_know(path):
    found = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    known = [module for module in found if module and module.startswith(("rig.", "pinboard."))]
    own = in_the_rig(f"pinboard.{path.stem}")
    assert [module for module in known if is_wrong(own, in_the_rig(module))] == []
