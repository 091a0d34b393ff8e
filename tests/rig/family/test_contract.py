"""Board families: found by entry points, loaded when they are asked for, and each whole."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from rig import registry
from rig.errors import LabFault, Misuse
from rig.family.contract import BoardFamily, families, family_of
from rig.lab.lab import _places
from rig.rack.plan import usual_first
from rig.suites.expectations import known_cases


@pytest.fixture
def installed(monkeypatch):
    """Let other packages be installed: name and object of each family."""

    def these(*points: tuple[str, str]) -> None:
        found = tuple(EntryPoint(name, value, registry.GROUP) for name, value in points)
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        registry._found.cache_clear()
        registry.family.cache_clear()

    yield these
    registry._found.cache_clear()
    registry.family.cache_clear()


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(Misuse, match="no kind of board is called 'toaster'") as refused:
        family_of("toaster")
    assert refused.value.hint == "one of esp32, spark-core"


def test_two_packages_with_one_kind_are_refused(installed):
    installed(("lamp", "lamp.one:FAMILY"), ("lamp", "lamp.two:FAMILY"))
    with pytest.raises(Misuse, match="two packages have boards of kind lamp"):
        registry.kinds()


def test_a_family_that_does_not_load_is_a_lab_fault_with_its_package(installed):
    installed(("lamp", "no_such_package.lamp:FAMILY"))
    assert registry.kinds() == ("lamp",)
    with pytest.raises(LabFault, match="boards of kind lamp do not load") as broken:
        family_of("lamp")
    assert "no_such_package.lamp:FAMILY" in str(broken.value.hint)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.kind)
def test_a_family_has_every_member_of_the_contract(family):
    members = [name for name in (*BoardFamily.__annotations__, *vars(BoardFamily)) if not name.startswith("_")]
    assert 5 < len(members) <= 12
    assert [name for name in members if not hasattr(family, name)] == []


def test_the_names_of_kinds_are_known_without_loading_a_family():
    code = "import sys; from rig import registry; registry.kinds(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "rig.registry" in loaded
    assert not [name for name in loaded if name.startswith("rig.families")]


@pytest.fixture
def rig_with_a_broken_package(tmp_path):
    """The command, where a package is installed too whose boards do not load."""
    info = tmp_path / "lamp-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\nlamp = lamp.family:FAMILY\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def rig(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "rig", *words], env=environment, capture_output=True, text=True)

    return rig


def test_a_package_that_does_not_load_leaves_the_command_to_the_others(rig_with_a_broken_package):
    shown = rig_with_a_broken_package("twin", "--help")
    asked = rig_with_a_broken_package("twin", "lamp")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "spark-core" in shown.stdout
    assert (asked.returncode, asked.stdout) == (3, "")
    assert asked.stderr == (
        "rig: the boards of kind lamp do not load: No module named 'lamp' "
        "(hint: its package offers lamp.family:FAMILY)\n"
    )


class Broken:
    """A family of which a part does not load."""

    kind, title = "lamp", "Lamp"

    @property
    def place(self):
        import no_such_package

        return no_such_package.PLACE

    slot = suites = board = images = place


FAMILY = Broken()


@pytest.fixture
def with_a_broken_family(installed):
    mine, ours = f"{__name__}:FAMILY", entry_points(group=registry.GROUP)
    installed(("lamp", mine), *((point.name, point.value) for point in ours))


@pytest.mark.usefixtures("with_a_broken_family")
def test_a_part_of_a_family_that_does_not_load_is_a_lab_fault_and_others_have_theirs():
    with pytest.raises(LabFault, match="boards of kind lamp do not load: No module named 'no_such_package'"):
        _ = family_of("lamp").place
    assert [slot.kind for slot in usual_first(whole=False)] == ["spark-core", "esp32"]
    assert sorted(place.kind for place in _places()) == ["esp32", "spark-core"]
    assert sorted(known_cases.__wrapped__()) == ["esp32", "spark-core"]


@pytest.mark.usefixtures("with_a_broken_family")
def test_a_member_that_a_family_has_not_is_no_fault_of_its_package():
    assert not hasattr(family_of("lamp"), "nothing_like_that")


def test_a_family_that_calls_itself_otherwise_is_refused(installed):
    installed(("toaster", f"{__name__}:FAMILY"))
    with pytest.raises(LabFault, match="boards of kind toaster do not load: it calls itself lamp"):
        family_of("toaster")
