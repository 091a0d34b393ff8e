"""What a report says of its run, on every page: what was tested, on what, and by which firmware each cut fell."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from rig.evidence.allure_head import CATEGORIES
from rig.evidence.cut_maps import draw_maps
from rig.evidence.report import write_report
from tests.rig.evidence.records import IMAGES, a_cut, a_record, a_test

#: The title of each page, by the page's name.
TITLES = {
    "summary": lambda folder: (folder / "summary.md").read_text().partition("\n")[0],
    "JUnit": lambda folder: ET.parse(folder / "junit.xml").getroot().get("name"),
    "a suite in JUnit": lambda folder: ET.parse(folder / "junit.xml").getroot()[0].get("name"),
    "Allure": lambda folder: json.loads((folder / "allure-results" / "executor.json").read_text())["reportName"],
    "Allure's environment": lambda folder: environment(folder)["title"],
}
#: The rack of a run, the tiers of its boards, and how its title begins.
GROUNDS = {
    "the rig's own rack": ("virtual", ["model"], "VIRTUAL run r (tier model, no real board)"),
    "the rig's own rack, whose boards claim to be real": ("virtual", ["hardware"], "VIRTUAL run r"),
    "twins in a lab": ("lab.yaml", ["model"], "VIRTUAL run r (tier model, no real board)"),
    "twins that execute binaries": ("lab.yaml", ["silicon"], "VIRTUAL run r (tier silicon, no real board)"),
    "real boards": ("lab.yaml", ["hardware", "hardware"], "Hardware run r"),
    "a twin among real boards": ("lab.yaml", ["hardware", "model"], "MIXED run r (not all boards are real)"),
    "a place that does not say": ("lab.yaml", ["unknown"], "Run r on boards of UNKNOWN tier"),
    "a place that says something else": ("lab.yaml", ["real"], "Run r on boards of UNKNOWN tier"),
    "no board": ("lab.yaml", [], "Run r without a board"),
}


def environment(folder) -> dict[str, str]:
    lines = (folder / "allure-results" / "environment.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def junit(folder) -> dict[str, str]:
    properties = ET.parse(folder / "junit.xml").getroot().find("testsuite/properties")
    return {one.get("name"): one.get("value") for one in properties}


@pytest.mark.parametrize("page", TITLES)
@pytest.mark.parametrize("case", GROUNDS)
def test_every_title_says_whether_a_real_board_was_tested(tmp_path, case, page):
    rack, tiers, begins = GROUNDS[case]
    tests = [a_test(f"t{number}", tier=tier, place=f"core-{number}") for number, tier in enumerate(tiers)]
    record = a_record(*tests, rack=rack)
    write_report(tmp_path, record)
    title = TITLES[page](tmp_path).removeprefix("# ").replace("\\", "")
    assert title.startswith(begins)
    assert title.endswith(record.verdict.word)


HEAD = {
    "summary": lambda folder: (folder / "summary.md").read_text(),
    "JUnit": lambda folder: " ".join(junit(folder).values()),
    "Allure": lambda folder: " ".join(environment(folder).values()),
}


@pytest.mark.parametrize("page", HEAD)
def test_every_head_names_what_was_tested(tmp_path, page):
    write_report(tmp_path, a_record(a_test(), selection="every case"))
    text = HEAD[page](tmp_path).replace("\\", "")
    named = ["model", "virtual", "core-01", "own.toml", "f" * 64, "0.1.0", "every case", "78 s"]
    named += [word for image in IMAGES for word in (image.version, image.sha256)]
    assert [word for word in named if word not in text] == []


def test_firmware_that_no_test_used_is_not_named(tmp_path):
    write_report(tmp_path, a_record(a_test(firmware=IMAGES[1:])))
    assert [name for name in junit(tmp_path) if "firmware" in name] == ["rig.firmware.core-new"]
    assert "core-old" not in (tmp_path / "summary.md").read_text()


def test_another_image_of_the_same_name_is_not_taken_for_the_one_that_was_used(tmp_path):
    rebuilt = IMAGES[1].model_copy(update={"sha256": "9" * 64})
    write_report(tmp_path, a_record(a_test(firmware=(rebuilt,)), firmware=(*IMAGES, rebuilt)))
    assert [value for name, value in junit(tmp_path).items() if "firmware" in name] == [f"1.1 sha256 {'9' * 64}"]


def test_two_images_of_one_name_are_both_named(tmp_path):
    both = (IMAGES[1], IMAGES[1].model_copy(update={"sha256": "9" * 64}))
    write_report(tmp_path, a_record(a_test(firmware=both), firmware=both))
    named = {name: value for name, value in junit(tmp_path).items() if "firmware" in name}
    assert named == {f"rig.firmware.core-new@{one * 12}": f"1.1 sha256 {one * 64}" for one in "19"}


def test_a_board_whose_tests_could_not_be_run_there_does_not_count(tmp_path):
    tests = [a_test("a", tier="model"), a_test("b", "not run here", tier="hardware", place="core-02")]
    record = a_record(*tests, rack="lab.yaml")
    assert record.title == "VIRTUAL run r (tier model, no real board): passed"


def test_what_pytest_wrote_stays_beside_the_head_and_writing_it_again_changes_nothing(tmp_path):
    case = '<testcase name="t"><failure message="no"/></testcase>'
    (tmp_path / "junit.xml").write_text(f'<testsuites name="p"><testsuite name="p">{case}</testsuite></testsuites>')
    write_report(tmp_path, a_record(a_test()))
    once = (tmp_path / "junit.xml").read_text()
    write_report(tmp_path, a_record(a_test()))
    assert '<failure message="no" />' in once
    assert (tmp_path / "junit.xml").read_text() == once


#: What one cut has in common with another, but for one thing.
DIFFERENT = {
    "the variant": {"variant": "early"},
    "the image it began with": {"from": "9" * 64},
    "the image that was sent": {"to": "9" * 64, "to_name": "core-0.2.1"},
    "a rebuilt image of the same name": {"to": "9" * 64},
    "the tier": {"tier": "hardware"},
    "the bootloader": {"generation": "a"},
    "the path": {"path": "ota-copy"},
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_cuts_of_different_firmware_are_never_on_one_map(tmp_path, case):
    lines = [a_cut("1"), a_cut("2"), a_cut("3", **DIFFERENT[case])]
    maps = [path.read_text() for path in draw_maps(tmp_path, lines).files]
    assert sorted([trial for trial in "123" if f"<title>{trial}:" in text] for text in maps) == [["1", "2"], ["3"]]


def test_a_map_names_tier_variant_and_both_images(tmp_path):
    (path,) = draw_maps(tmp_path, [a_cut("1", variant="early")]).files
    title, _, firmware = [text.text for text in ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")][:3]
    assert title == "VIRTUAL (model): spark-core generation B with firmware early, cuts over dfu"
    assert firmware == "core-old (00000000) → core-new (11111111)"


RAISES = """
import pytest
from rig.errors import DeviceFault, LabFault, Misuse, Unreachable

@pytest.mark.parametrize("error", [AssertionError, DeviceFault, LabFault, Unreachable, Misuse, ValueError])
def test_it(error):
    raise error("it broke\\nDeviceFault is not what it is")

def test_skipped():
    pytest.skip("not run here: no board")
"""
SORTED = {
    "test_it[AssertionError]": ["Device fault"],
    "test_it[DeviceFault]": ["Device fault"],
    "test_it[LabFault]": ["Lab fault"],
    "test_it[Unreachable]": ["Lab fault"],
    "test_it[ValueError]": ["Lab fault"],
    "test_it[Misuse]": ["Misuse"],
    "test_skipped": ["Not run here"],
}
pytest_plugins = ["pytester"]


def test_allure_sorts_each_fault_by_whose_it_is(pytester):
    pytester.makepyfile(RAISES)
    pytester.runpytest_subprocess("-p", "rig.plugin", "-p", "no:cacheprovider", "--alluredir=results")
    results = [json.loads(path.read_text()) for path in (pytester.path / "results").glob("*-result.json")]
    assert {result["name"]: categories(result) for result in results} == SORTED


def categories(result: dict) -> list[str]:
    """As Allure does: by the status, and by an expression that the whole message must match."""
    message = result["statusDetails"]["message"]
    return [
        one["name"]
        for one in CATEGORIES
        if result["status"] in one["matchedStatuses"] and re.fullmatch(one.get("messageRegex", "(?s).*"), message)
    ]
