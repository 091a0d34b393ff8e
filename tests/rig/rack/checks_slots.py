"""Named checks of test_mutants: which boards a virtual rack has, by what somebody asks of it."""

from __future__ import annotations

from unittest.mock import patch

import typer
from typer.testing import CliRunner

from rig.cli import boards as command
from rig.errors import LabFault, Misuse
from rig.family.contract import family_of
from rig.family.rack_slot import Slot, common_tags
from rig.rack import boards, plan, rack
from rig.rack.plan import RackPlan
from tests.rig.lab.lab_in_memory import raises

#: Tags that a virtual board can be asked for, one at a time.
CHOICES = [
    *(("spark-core", "generation", value) for value in ("a2013", "a", "b", "c", "c401")),
    *(("spark-core", "revision", "black"), ("spark-core", "locked", "no"), ("spark-core", "wifi", "joined")),
    *(("esp32", "revision", "v1.0"), ("esp32", "bridge", "board")),
]


def a_board_is_as_its_tags_ask(_folder):
    for kind, tag, value in CHOICES:
        slot = family_of(kind).slot.of(0.1, {tag: value})
        assert (slot.abilities[tag], slot.abilities["timing_scale"]) == (value, "0.1"), (kind, tag)


#: What is no number of boards of a kind, and the words that say so.
NO_BOARDS = {
    "lamp=2": "no kind of board is called 'lamp'",
    "spark-core=0": "'spark-core=0' is not KIND=N",
    "spark-core=x": "'spark-core=x' is not KIND=N",
    "spark-core=201": "'spark-core=201' is not KIND=N",
    "spark-core": "'spark-core' is not KIND=N",
    "spark-core=1 spark-core=2": "spark-core is told twice",
}


def what_is_no_number_of_boards_is_told(_folder):
    for texts, told in NO_BOARDS.items():
        said = ""
        try:
            boards.read_boards(texts.split())
        except Misuse as error:
            said = str(error)
        assert told in said, texts
        assert "(hint: " in said, texts


def told_to(kind: type, *words: str) -> list[str]:
    """The boards that a command of this kind is told, by these words."""
    app, heard = typer.Typer(), []
    app.command(cls=kind)(_takes(heard))
    assert CliRunner().invoke(app, words).exit_code == 0
    return heard


def _takes(heard: list[str]):
    def does(boards: list[str] | None = None) -> None:
        heard.extend(boards or ())

    return does


def short_forms_are_of_one_kind_each(_folder):
    assert told_to(command.StartsBoards, "--cores", "3", "--esp32s", "1") == ["spark-core=3", "esp32=1"]
    assert told_to(command.StartsBoards, "--cores", "0", "--esp32s", "1") == ["esp32=1"]
    assert told_to(command.TakesBoards, "--esp32s", "1") == ["esp32=1"]


def usual_boards_are_there_unless_others_are_named(_folder):
    assert told_to(command.StartsBoards) == ["spark-core=2"]
    assert told_to(command.StartsBoards, "--esp32s", "1") == ["spark-core=2", "esp32=1"]
    assert told_to(command.StartsBoards, "--boards", "esp32=1") == ["esp32=1"]
    assert told_to(command.TakesBoards) == []


CORE, SLOW, ESP32 = ("spark-core", {"timing": "scaled"}), ("spark-core", {"timing": "real"}), ("esp32", {})


def a_bounded_rack_runs_as_many_cases_as_it_can(_folder):
    whole = RackPlan.for_suites(4, None, every_case=False)
    for most, asked, taken in (
        ({"spark-core": 1}, [SLOW, CORE, CORE], [("spark-core", "scaled")]),
        ({"spark-core": 1}, [SLOW, SLOW, CORE], [("spark-core", "real")]),
        ({"spark-core": 2}, [SLOW, CORE, CORE], [("spark-core", "scaled"), ("spark-core", "real")]),
        ({"esp32": 9}, [ESP32, CORE], [("esp32", "scaled")]),
    ):
        slots = whole.asked_for(asked, 1).at_most(most, asked).slots
        assert [(slot.kind, slot.abilities["timing"]) for slot in slots] == taken, most


class Lamp(Slot):
    """A board of a family of two lines."""

    kind = prefix = "lamp"
    lines, ports, time_scale = ("power",), (), 1.0

    @classmethod
    def of(cls, time_scale, _tags):
        made = cls()
        made.time_scale = time_scale
        return made

    def command(self, number, state, site):
        return ["lamp", str(number)]

    def exports(self, told, coil, site):
        return {}


class _Server:
    def __init__(self, name):
        self.name, self.listens = name, ()


def two_servers_of_one_name_are_refused(_folder):
    ours, other = type("Ours", (Lamp,), {"servers": (_Server("cloud"),)}), family_of("spark-core").slot
    assert raises(Misuse, lambda: rack._servers_of([ours(), other()]))


def boards_that_share_a_server_have_it_once(_folder):
    cores = [family_of("spark-core").slot()] * 2
    assert [server.name for server in rack._servers_of([*cores, family_of("esp32").slot()])] == ["cloud", "updates"]


def a_family_without_words_on_suites_has_boards_for_them(_folder):
    made = Lamp.for_suites(2, every_case=False)
    assert [slot.time_scale for slot in made] == [0.1, 0.1, 1.0]
    assert [slot.abilities for slot in made] == [common_tags(slot) for slot in made]


class LampWithASwitch(Lamp):
    lines = ("power", "switch")


def a_place_says_of_each_line_that_it_is_wired_and_of_no_other(_folder):
    """Whoever asks for `reset=wired` is given no board that has no such line."""
    wired = {tag for tag, value in LampWithASwitch.of(1.0, {}).abilities.items() if value == "wired"}
    assert wired == {"switch"}
    cores, esp32s = (family_of(kind).slot().abilities for kind in ("spark-core", "esp32"))
    assert {tag for tag, value in cores.items() if value == "wired"} == {"mode", "reset"}
    assert {tag for tag, value in esp32s.items() if value == "wired"} == {"boot", "reset"}


def _one_does_not_load(kind):
    if kind == "esp32":
        raise LabFault("the boards of kind esp32 do not load")
    return family_of(kind)


def a_family_that_does_not_load_costs_others_no_short_form(_folder):
    with patch.object(plan, "family_of", _one_does_not_load):
        assert raises(LabFault, plan.usual_first), "whoever needs all of them is told"
        assert not raises(LabFault, lambda: plan.usual_first(whole=False))
