"""What a firmware is expected to become: the file that comes with the rig, and what is said of a broken one."""

from __future__ import annotations

import ast
import re

import pytest

from rig.errors import Misuse
from rig.firmware.checkout import part
from rig.firmware.expectations import Expectations, Situation
from rig.firmware.outcomes import Became
from tests.rig.firmware.checks_expectations import DEFECT, ENTRY, load, told_of

OURS = Expectations.load(part("firmware-fixtures", "expectations.toml"))


def core(case: str, generation: str = "b", path: str = "dfu") -> Situation:
    return Situation("spark-core", path, case, generation)


def test_the_genuine_bootloader_of_2014_strands_where_the_rigs_file_says_so():
    erase = OURS.expected(core("erase"))
    assert (erase.became, erase.defect) == (Became("stranded", "reflash"), "dfu-cut-in-erase-strands")
    assert OURS.expected(core("erase", "c")).became == Became("factory")


def test_where_a_file_says_nothing_nothing_is_expected(tmp_path):
    assert load(tmp_path, ENTRY).expected(core("program")) is None
    assert load(tmp_path, "").expected(core("erase")) is None


def test_the_first_entry_that_fits_counts(tmp_path):
    only_c = (
        ENTRY.replace("[[expect]]", '[[expect]]\ngeneration = "c"')
        .replace("stranded", "dead")
        .replace("reflash", "none")
    )
    ours = load(tmp_path, only_c + ENTRY)
    assert [ours.expected(core("erase", letter)).outcome for letter in "bc"] == ["stranded", "dead"]


def test_an_entry_for_a_variant_is_for_no_other(tmp_path):
    ours = load(tmp_path, ENTRY.replace("[[expect]]", '[[expect]]\nvariant = ["plain", "early"]'))
    assert ours.expected(core("erase")) is None
    assert ours.expected(Situation("spark-core", "dfu", "erase", "b", "early")) is not None


def test_a_known_defect_is_told_by_its_name(tmp_path):
    ours = load(tmp_path, ENTRY + 'defect = "erase-strands"\n' + DEFECT)
    known = ours.defects[ours.expected(core("erase")).defect]
    assert (known.severity, known.reference) == ("critical", "https://tickets.example/17")


BROKEN = {
    "no TOML": ("expect = [", "is not TOML"),
    "an outcome that there is not": (ENTRY.replace("stranded", "bricked"), "expect.0.outcome: "),
    "a rung that there is not": (ENTRY.replace("reflash", "prayer"), "expect.0.rung: "),
    "a rung that leads elsewhere": (ENTRY.replace("reflash", "self"), "rung self never leads to stranded"),
    "a board that there is not": (ENTRY.replace("spark-core", "toaster"), "expect.0.board: "),
    "no case": (ENTRY.replace('case = "erase"\n', ""), "expect.0.case: "),
    "a word too many": (ENTRY + "colour = 3\n", "expect.0.colour: there is no such field (hint: fields are "),
    "a defect nobody describes": (ENTRY + 'defect = "erase-strands"\n', "there is no defect 'erase-strands'"),
    "a defect that is there twice": (DEFECT + DEFECT, "defect 'erase-strands' is there twice"),
    "a severity that there is not": (DEFECT.replace("critical", "bad"), "defect.0.severity of 'erase-strands': "),
    "a defect without a reference": (
        DEFECT.replace('"https://tickets.example/17"', '""'), "defect.0.reference of 'erase-strands': ",
    ),
    "an entry that never counts": (
        ENTRY + ENTRY.replace("[[expect]]", '[[expect]]\ngeneration = "b"'), "expect.1 never counts: expect.0 ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_told_in_one_line_that_names_file_and_field(tmp_path, case):
    text, reason = BROKEN[case]
    with pytest.raises(Misuse) as raised:
        load(tmp_path, text)
    assert reason in str(raised.value)
    assert str(tmp_path / "mine.toml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_case_of_somebodys_own_tests_is_one_that_nobody_knows(tmp_path):
    mine = ENTRY.replace('"erase"', '"the lid is open"') + "own = true\n"
    assert load(tmp_path, mine).expected(core("the lid is open")).became == Became("stranded", "reflash")
    assert told_of(tmp_path, mine) == ""
    assert "(a case of your own tests: `own = true`)" in told_of(tmp_path, mine.replace("own = true\n", ""))


def test_a_version_of_generation_c_that_nobody_knows_yet_is_one(tmp_path):
    assert told_of(tmp_path, ENTRY + 'generation = "c999"\n') == ""


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Misuse, match=r"cannot read the expectations .*nowhere\.toml"):
        Expectations.load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("suite", sorted(part("tests", "boards").rglob("test_*.py")), ids=lambda path: path.stem)
def test_no_board_suite_holds_an_outcome_or_the_name_of_a_defect_that_an_outcome_is(suite):
    text = suite.read_text()
    literals = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    assert not literals & {entry.defect for entry in OURS.entries if entry.defect is not None}
    assert re.findall(r"outcome\.(?:name|image|rung|stranded|by_itself)\b", text) == []


def test_what_known_defects_cite_is_public():
    assert len(OURS.defects) > 40
    assert not [name for name, defect in OURS.defects.items() if defect.reference.startswith("reference/")]
