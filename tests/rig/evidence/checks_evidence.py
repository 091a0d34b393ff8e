"""Checks of evidence, of text from outside and of files that people name; planted faults must fail them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import xml.etree.ElementTree as ET

from rig import escape, files
from rig.errors import LabFault, Misuse, RigError
from rig.evidence import cut_map, ledger, report, results, run_life, run_manifest, verify
from rig.families.spark_core.campaign.update_paths import CORE_PATHS
from rig.terminal import output
from tests.rig.cli.test_text_from_outside import HOSTILE, acts, cut_line
from tests.rig.evidence import tampering
from tests.rig.evidence.records import a_record


def _is_found(tmp_path, kind: str) -> bool:
    folder = tampering.write_run(tmp_path / "r" / "ledger")
    tampering.TAMPERINGS[kind](folder)
    return bool(verify.verify(tmp_path / "r").findings)


def a_line_that_was_written_again_is_noticed(tmp_path):
    assert _is_found(tmp_path, "written again with spaces")


def an_escape_for_a_letter_is_noticed_in_a_line_known_by_its_pattern(tmp_path):
    assert _is_found(tmp_path, "a letter written as an escape")


def a_fraction_written_longer_is_noticed(tmp_path):
    assert _is_found(tmp_path, "a fraction written longer")


def lines_missing_at_the_end_are_noticed(tmp_path):
    assert _is_found(tmp_path, "the last line taken out")


def a_segment_that_nobody_named_is_noticed(tmp_path):
    assert _is_found(tmp_path, "a segment that nobody named")


def lines_of_another_run_are_noticed(tmp_path):
    assert _is_found(tmp_path, "a segment of another run, manifest too")


def a_key_that_is_twice_in_the_manifest_is_noticed(tmp_path):
    assert _is_found(tmp_path, "the manifest with a key twice")


def a_head_noted_elsewhere_is_compared(tmp_path):
    folder = tampering.write_run(tmp_path / "r" / "ledger")
    assert [one.where for one in verify.missing_heads([verify.verify(folder)], ["0" * 64])] == ["--head"]


def a_run_that_goes_on_is_not_ended(tmp_path):
    run_life.join_run(tmp_path, "r1")
    with ledger.Ledger(tmp_path / "gw0.jsonl") as segment:
        segment.append("cut", {"run": "r1"})
        run_life.end_killed_run(tmp_path, "somebody")
        assert run_manifest.RunManifest.read(tmp_path / "run.json").state == "open"


def a_run_between_two_segments_is_not_ended_by_others(tmp_path):
    run = run_life.OpenRun.begin(tmp_path, "r1")
    assert run_life.end_killed_run(tmp_path, "somebody").state == "open"
    run.end()


def segments_of_an_old_run_are_not_taken_for_ours(tmp_path):
    (tampering.write_run(tmp_path / "ledger") / "run.json").unlink()
    refused = False
    try:
        run_life.OpenRun.begin(tmp_path / "ledger", "r1")
    except Misuse:
        refused = True
    assert refused


def a_ledger_that_was_removed_is_no_finished_run(tmp_path):
    run = run_life.OpenRun.begin(tmp_path / "ledger", "r1")
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "ledger").mkdir()
    told = "nothing"
    try:
        run.end()
    except RigError as error:
        told = error.message
    assert "was removed while the run went on" in told
    assert not (tmp_path / "ledger" / "run.json").exists()


@contextlib.contextmanager
def _small_disk(most: int):
    """Files of this process may be so large: a disk that is full, as far as `write` can tell."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def a_full_disk_tears_no_line(tmp_path):
    path, told = tmp_path / "main.jsonl", ""
    with ledger.Ledger(path) as segment:
        with _small_disk(1000):
            try:
                for number in range(20):
                    segment.append("cut", {"trial": str(number)})
            except LabFault as fault:
                told = str(fault)
        assert "make room" in told
        assert path.read_bytes().endswith(b"\n")
        segment.append("cut", {"trial": "again"})
    assert list(ledger.read_ledger(path))[-1]["trial"] == "again"


def a_line_acts_on_no_terminal(tmp_path):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        output.print_lines(*HOSTILE.values())
    assert not acts(out.getvalue())
    assert len(out.getvalue().splitlines()) == len(HOSTILE)


def a_summary_keeps_its_tables(tmp_path):
    hostile = HOSTILE["Markdown and HTML"] + HOSTILE["lines"]
    result = results.TestResult(hostile, "passed", 1.0, "", {"place": hostile})
    page = report.write_report(tmp_path, a_record(result)).read_text(encoding="utf-8")
    tests = page.partition("## Tests")[2].partition("\n## ")[0]
    rows = [row for row in tests.splitlines() if row.startswith("|")]
    assert [row.replace("\\\\", "").replace("\\|", "").count("|") for row in rows[-3:]] == [6, 6, 6]
    assert "<script>" not in page


def a_cut_map_is_xml(tmp_path):
    read = None
    with contextlib.suppress(ET.ParseError, UnicodeEncodeError):
        cut = cut_line(HOSTILE["no letters at all"])
        read = ET.fromstring(cut_map.draw_cut_map([cut], CORE_PATHS["dfu"], HOSTILE["XML"]))
    assert read is not None


def _refused(path, most=1000) -> str:
    try:
        files.read_user_file(path, most)
    except Misuse as error:
        return error.message
    return ""


def a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "it is no file" in _refused(tmp_path / "pipe")


def a_file_is_read_to_its_bound(tmp_path):
    (tmp_path / "large").write_bytes(bytes(1001))
    assert "larger than 1,000 bytes" in _refused(tmp_path / "large")


def a_torn_end_is_told_of_a_run_that_was_killed(tmp_path):
    run_life.join_run(tmp_path, "r1")
    tampering.put(tmp_path / "gw0.jsonl", tampering.forged([{"kind": "cut", "run": "r1"}]))
    with (tmp_path / "gw0.jsonl").open("ab") as file:
        file.write(b'{"aim')
    run_life.end_killed_run(tmp_path, "somebody")
    manifest = json.loads((tmp_path / "run.json").read_text())
    assert (manifest["state"], manifest["segments"][0]["torn"]) == ("unfinished", 5)


def xml_has_no_controls(tmp_path):
    assert escape.xml("\x0c\x00").isprintable()
