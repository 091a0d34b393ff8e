"""Checks of what a report says of its run; planted faults must fail them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from rig.cli import run_lines
from rig.escape import markdown
from rig.evidence import cut_map, cut_maps, report
from rig.evidence.ledger import Ledger
from rig.evidence.run_log import RunLog, read_run
from rig.evidence.timeline import Timeline
from rig.families.spark_core.campaign.update_paths import CORE_PATHS
from rig.families.spark_core.formats import flash as layout
from rig.lab.graceful_end import EndRequested, GracefulEnd
from rig.suites import report_properties
from tests.rig.evidence.records import IMAGES, a_cut, a_record, a_test, an_identity
from tests.rig.evidence.test_report import TITLES, environment, junit


def cuts_of_two_variants_are_on_two_maps(tmp_path):
    assert len(cut_maps.draw_maps(tmp_path, [a_cut("1"), a_cut("2", variant="early")]).files) == 2


def cuts_of_two_images_of_one_name_are_on_two_maps(tmp_path):
    assert len(cut_maps.draw_maps(tmp_path, [a_cut("1"), a_cut("2", to="9" * 64)]).files) == 2


#: How updates erase, whether flash shows where the cuts fell, and what a map says of its marks.
LEGENDS = {
    "a Core's over DFU": (
        ["all-first", "interleaved"],
        "read-back",
        "circles erase all first; squares erase as they write",
    ),
    "an ESP32's over serial": (["all-first"], "read-back", "circles erase all first"),
    "an ESP32's over HTTPS": (["sequential"], "read-back", "squares erase as they write"),
    "an ESP32's that flash does not show": (
        ["sequential"],
        "inferred",
        "squares erase as they write; hollow: inferred",
    ),
}


def a_legend_is_of_the_marks_that_are_drawn(_folder):
    for case, (orders, known_by, legend) in LEGENDS.items():
        landing = {"phase": "erase", "address": None, "known_by": known_by, "detail": "half"}
        cuts = [a_cut(order, order=order, landing=landing) for order in orders]
        drawn = cut_map.draw_cut_map(cuts, CORE_PATHS["dfu"], "map")
        assert f"an update goes on to the right; {legend}</text>" in drawn, case


def a_mark_lies_in_the_stretch_that_its_phase_writes(_folder):
    landing = {"phase": "download", "address": layout.OTA_ADDRESS + 250, "known_by": "read-back", "detail": ""}
    cut = a_cut("1", path="cloud", to_address=layout.APP_ADDRESS, to_size=1000, landing=landing)
    download = next(phase for phase in CORE_PATHS["cloud"] if phase.name == "download")
    assert download.share(cut) == 0.25


#: Cuts that nobody here can draw, and what the report says of them.
NOT_DRAWN = {
    "a kind of board": ({"board": "toaster"}, "no cut map of toaster over dfu: no boards of this kind are installed"),
    "a path": ({"path": "tape"}, "no cut map of spark-core over tape: its boards have no such update path"),
}


def a_map_that_nobody_here_can_draw_is_left_out_of_the_report_aloud(tmp_path):
    for case, (unknown, line) in NOT_DRAWN.items():
        folder = tmp_path / case
        with Ledger(folder / "ledger" / "main.jsonl") as ledger:
            for cut in (a_cut("1"), a_cut("2", **unknown)):
                ledger.append(cut.pop("kind"), cut)
        page = report.write_summary(folder, a_record(a_test())).read_text()
        assert [path.stem.rpartition("-dfu-")[0] for path in folder.glob("*.svg")] == ["cut-map-spark-core-b"]
        assert page.count(markdown(line)) == 1


def every_head_has_the_tier(tmp_path):
    report.write_report(tmp_path, a_record(a_test(tier="silicon"), rack="lab.yaml"))
    assert "| tier | silicon |" in (tmp_path / "summary.md").read_text()
    assert (junit(tmp_path).get("rig.tier"), environment(tmp_path).get("tier")) == ("silicon", "silicon")


def every_title_says_virtual(tmp_path):
    report.write_report(tmp_path, a_record(a_test()))
    assert ["VIRTUAL" in title(tmp_path) for title in TITLES.values()] == [True] * len(TITLES)


def a_virtual_rack_is_virtual_whatever_its_places_say(tmp_path):
    assert a_record(a_test(tier="hardware")).identity.testbed.nature == "virtual"


def a_twin_among_real_boards_is_told(tmp_path):
    tests = [a_test("a", tier="hardware"), a_test("b", tier="model", place="core-02")]
    assert a_record(*tests, rack="lab.yaml").identity.testbed.nature == "mixed"


def only_firmware_that_was_used_is_named(tmp_path):
    assert [image.name for image in a_record(a_test(firmware=IMAGES[1:])).identity.firmware] == ["core-new"]


def only_a_test_in_which_something_happened_has_a_timeline(tmp_path):
    empty, other = Timeline(), Timeline()
    other.note("rig", "aim")
    for name, timeline in (("empty", empty), ("other", other)):
        report_properties.keep_timeline(timeline, tmp_path, f"test_mine.py::test_{name}")
    assert [path.name.partition("-")[2][:5] for path in (tmp_path / "timelines").glob("*.txt")] == ["other"]


def _left_by_a_run(tmp_path):
    """What is known of a run that logged two results and wrote nothing else."""
    log = RunLog(tmp_path, an_identity())
    for name in ("first", "last"):
        log.started(name)
        log.finished(a_test(name))
    return read_run(tmp_path)


def the_last_result_is_on_the_disk(tmp_path):
    assert [result.name for result in _left_by_a_run(tmp_path).results] == ["first", "last"]


def a_run_without_an_end_was_killed(tmp_path):
    record = _left_by_a_run(tmp_path)
    assert (record.killed, record.verdict.status) == (True, 3)


def a_fault_is_at_the_end_of_a_log(tmp_path):
    lines = run_lines.end_lines(a_record(a_test("bad", "lab fault")), Path("r"), None, verbose=False)
    assert any(" bad " in line for line in lines)


def a_request_is_not_left_half_way(tmp_path):
    """A process that is told to end while it holds something is interrupted only where it says so."""
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    done = []
    ending = GracefulEnd()
    try:
        with ending.interruptible():
            pass
        ending._busy = True
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("request")
        with ending.interruptible():
            done.append("work")
    except EndRequested:
        done.append("ended")
    finally:
        signal.alarm(0)
        for number, handler in former.items():
            signal.signal(number, handler)
    assert done == ["request", "ended"]
