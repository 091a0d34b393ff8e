"""Text from boards, certificates, images, places and file names is data, whatever shows it."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rig import escape
from rig.cli.main import app
from rig.cli.run_lines import PlainLines
from rig.cli.run_progress import Progress
from rig.errors import LabFault
from rig.evidence.cut_map import draw_cut_map
from rig.evidence.report import write_report
from rig.evidence.results import TestResult
from rig.evidence.timeline import Timeline
from rig.evidence.update_path import Phase
from rig.suites.result_collector import Collected
from rig.suites.run import Run
from rig.terminal import tables
from tests.rig.evidence.records import a_record
from tests.rig.test_rooms import RIG
from tests.rig.waiting import HANGS

HOSTILE = {
    "markup": "[/b][red]x[/red] [link=https://evil]y[/link] :warning: \\[b]",
    "terminal escapes": "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\x08\x7f",
    "lines": "one\r\nrig: verdict passed\n| a | b |\n\u2028\u2029\x85\x0b\x0c",
    "letters that turn or hide": "a\u202eb\u2066c\u200bd\ufeffe\u00adf\u200d",
    "no letters at all": "\x00\x01\ud800\udcff\ufffe\U000e0001",
    "Markdown and HTML": "a|b `c` *d* _e_ [f](javascript:g) <script>h</script> &lt; ![i](j) ~~k~~ $l$ #m",
    "XML": "]]>\"'&<x/>\x0c\x1f",
}
CASES = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def acts(shown: str) -> list[str]:
    """What of a page would act on a terminal."""
    return [letter for letter in shown if not letter.isprintable() and letter != "\n"]


@given(st.text(st.characters(codec=None)))
def test_nothing_acts_on_a_terminal_and_what_was_escaped_stays_so(text):
    shown = escape.terminal(text)
    assert shown.isprintable()
    assert escape.terminal(shown) == shown
    assert escape.one_line(text).isprintable()


@given(st.text(st.characters(codec=None)))
def test_xml_that_holds_it_can_be_read(text):
    read = ET.fromstring(f'<a b="{escape.xml(text)}">{escape.xml(text)}</a>')
    assert read.text in (escape.terminal(text), None)
    assert read.get("b") == escape.terminal(text)


@CASES
def test_an_error_is_one_line_that_acts_on_nothing(text):
    assert str(LabFault(text, board=text, phase=text, hint=text)).isprintable()


@CASES
def test_tables_and_lines_take_text_for_text(text):
    out = io.StringIO()
    table = tables.grid("a", "b", title=text)
    table.add_row(text, tables.styled(text, "red"))
    shown = tables.line((text, "bold"))
    tables.show(table, text, shown, to=tables.Console(file=out, width=400, markup=False, emoji=False, highlight=False))
    assert not acts(out.getvalue())
    assert out.getvalue().count(escape.terminal(text)) == 5


@CASES
@pytest.mark.parametrize("output", [Progress, PlainLines])
def test_a_run_tells_it_as_it_is(output, text, monkeypatch, capfd):
    result = TestResult(text, "passed", 1.0, text, {"place": text, "became": text, "known_defect": text})
    done = Run(a_record(result, run=text, rack=text), Path("rep[/b]", "x"), "0" * 64)
    monkeypatch.setenv("COLUMNS", "400")
    with output(verbose=True) as progress:
        progress.listen("begun", done.record)
        progress.listen("collected", Collected(1))
        progress.listen("ended", text)
        progress.listen("waiting", text)
        progress.listen("started", text)
        progress.listen("finished", result)
    progress.finish(done)
    shown = capfd.readouterr().out
    assert "rep[/b]/x/summary.md" in shown
    assert not acts(shown)


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


LANDING = {"phase": "erase", "address": None, "known_by": "read-back"}


def cut_line(text: str) -> dict:
    return {
        "kind": "cut", "trial": text, "place": text, "board": "spark-core", "generation": "b", "path": "dfu",
        "order": "all-first", "aim": {"phase": text}, "to_address": 0, "to_size": 1,
        "landing": {**LANDING, "detail": text}, "outcome": {"became": "old", "rung": text, "seconds": 1.0},
    }  # fmt: skip


def bars_of_tables(page):
    """How many bars each row of each table has."""
    rows = [row.replace("\\\\", "").replace("\\|", "") for row in page.splitlines()]
    for is_table, of_it in groupby(rows, key=lambda row: row.startswith("|")):
        if is_table:
            yield [row.count("|") for row in of_it]


@CASES
def test_a_summary_keeps_its_tables_and_has_no_html(text, tmp_path):
    from rig.evidence.ledger import Ledger

    with Ledger(tmp_path / "ledger" / "main.jsonl") as ledger:
        line = cut_line(text)
        ledger.append(line.pop("kind"), line)
        ledger.append("intent", {"trial": f"2{text}", "place": text, "phase": text, "path": text})
    told = {"place": text, "became": text, "known_defect": text, "known_defect_text": text}
    told |= {"compared": "better", "expected": text}
    result = TestResult(text, "device fault", 1.0, text, told)
    page = write_report(tmp_path, a_record(result, run=text, rack=text)).read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(page)
    assert tags.found == []
    assert not acts(page)
    for columns in bars_of_tables(page):
        assert len(set(columns)) == 1, "every row of a table has the columns of its head"
    without_code = [line for line in page.splitlines() if "`" not in line.replace("\\`", "")]
    assert len(without_code) > 10
    assert re.search(r"(?<!\\)\]\(javascript", "\n".join(without_code)) is None, "in code nothing acts"


@CASES
def test_a_cut_map_can_be_read_as_xml(text):
    assert ET.fromstring(draw_cut_map([cut_line(text)], (Phase(text, 1.0),), text)) is not None


@CASES
def test_a_timeline_is_one_line_a_moment(text, tmp_path):
    timeline = Timeline()
    timeline.note("usb", text)
    timeline.note("usb", "next")
    timeline.write(tmp_path / "t.jsonl")
    assert len((tmp_path / "t.txt").read_text(encoding="utf-8").splitlines()) == 2
    assert not acts(timeline.text())


_SUITE = """
import sys, json, pytest
from rig.errors import DeviceFault
from rig.evidence.allure_bridge import attach_cut, attach_timeline, report_place
from rig.evidence.timeline import Timeline
from rig.suites.run import Run

HOSTILE = json.loads(sys.argv[-1]) if False else json.loads(open("hostile.json").read())

@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("raised", [AssertionError, DeviceFault, ValueError])
def test_it(kind, raised, record_property):
    text = HOSTILE[kind]
    timeline = Timeline()
    timeline.note("usb", text)
    attach_timeline(timeline)
    attach_cut({"trial": text})
    report_place(text, {"board": text})
    record_property("place", text)
    raise raised(text)
"""


def test_junit_and_allure_results_can_be_read_whatever_a_test_said(tmp_path):
    (tmp_path / "test_it.py").write_text(_SUITE)
    (tmp_path / "hostile.json").write_text(json.dumps(HOSTILE))
    words = ["-p", "rig.plugin", "-p", "no:cacheprovider", "--junitxml", "junit.xml", "--alluredir", "allure", "-q"]
    command = [sys.executable, "-m", "pytest", "test_it.py", *words, "-c", "none.ini"]
    (tmp_path / "none.ini").write_text("[pytest]\n")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=HANGS)
    assert (done.returncode, "INTERNALERROR" in done.stdout) == (1, False), done.stdout[-2000:] + done.stderr[-2000:]
    cases = list(ET.parse(tmp_path / "junit.xml").getroot().iter("testcase"))
    results = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "allure").glob("*-result.json")]
    assert len(cases) == len(results) == 3 * len(HOSTILE)


def test_a_console_keeps_lines_and_colours_and_nothing_else():
    shown = escape.Console()
    pieces = [b"\x1b[0;3", b"2mI (1) boot\x1b[0m\r\n\x1b]0;x\x07", b"\xe2\x86", b"\x92\xff\x1b[2J\x1b", b"[1mx"]
    assert "".join(map(shown.feed, pieces)) == "\x1b[0;32mI (1) boot\x1b[0m\r\n\\x1b]0;x\\x07→\\xff\\x1b[2J\x1b[1mx"


def test_versions_of_images_are_no_markup(tmp_path):
    """`rig firmware add --version '[/b]'` once broke every list after it."""
    manifest, image = tmp_path / "manifest.toml", tmp_path / "a.bin"
    manifest.write_text("")
    image.write_bytes(bytes.fromhex("0050002001000808") * 99)
    import hashlib

    words = ["--name", "a", "--version", "[/b]", "--sha256", hashlib.sha256(image.read_bytes()).hexdigest()]
    runner = CliRunner()
    added = runner.invoke(app, ["firmware", "add", str(image), *words, "--manifest", str(manifest)])
    listed = runner.invoke(app, ["firmware", "list", "--manifest", str(manifest)], env={"COLUMNS": "200"})
    assert (added.exit_code, listed.exit_code) == (0, 0), listed.exception
    assert "[/b]" in listed.stdout


PRINTERS = {"show.py", "tables.py"}


@pytest.mark.parametrize(
    "path", sorted(path for path in (RIG / "cli").glob("*.py") if path.name not in PRINTERS), ids=lambda path: path.name
)
def test_commands_print_by_the_two_modules_that_escape(path):
    """Nothing in this room prints by itself: neither `print` and streams, nor rich's consoles, tables and markup."""
    for node in ast.walk(ast.parse(path.read_text())):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        assert called not in ("print", "typer.echo", "typer.secho", "click.echo"), ast.unparse(node)
        assert not called.endswith((".write", ".writelines")) or called in ("out.write",), ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich.table", "rich.markup", "rich"):
            assert {alias.name for alias in node.names} <= {"box", "Column", "RenderableType"}, ast.unparse(node)


@pytest.mark.parametrize("page", ["report.py", "cut_map.py"])
def test_pages_are_written_from_text_that_was_escaped(page):
    """In a row, an item or a mark, what a ledger or a result says goes through `markdown`, `code` or `xml`."""
    source = (RIG / "evidence" / page).read_text()
    for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
        for text in (node for node in ast.walk(function) if isinstance(node, ast.JoinedStr)):
            begins = text.values[0].value if isinstance(text.values[0], ast.Constant) else ""
            if not begins.startswith(("| ", "* ", "<text", "<title")):
                continue
            for part in (part for part in text.values if isinstance(part, ast.FormattedValue)):
                told = ast.unparse(part.value)
                outside = any(word in told for word in ("line[", "r.name", "r.message", "remark", "title", "told"))
                assert not outside or told.startswith(("markdown(", "code(", "escape.xml(", "' | '")), told
