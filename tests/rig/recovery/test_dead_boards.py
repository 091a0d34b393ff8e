"""A board that a cut killed: its line in the ledger, and what a run's summary tells of cuts without an end."""

from __future__ import annotations

import itertools
import socket
from types import SimpleNamespace

import pytest

from rig.campaign.bench import UNKNOWN, Bench
from rig.campaign.until_landed import CutUntilLanded
from rig.errors import DeviceFault, LabFault
from rig.evidence.ledger import Ledger, read_ledger, unfinished
from rig.evidence.report import write_report
from rig.evidence.timeline import Timeline
from rig.families.esp32.drivers.loader import SerialAddress
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.families.spark_core.boards.board import SparkCore
from rig.firmware.manifest import Image
from rig.power.cut import Fired
from rig.power.trigger import Aim
from tests.rig.evidence.records import a_record
from tests.rig.families.esp32.lab.checks_rack import DOWNLOADS, GPIO0, board_that_says, climbed
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.stand_ins import Lines, Ticking

TRIAL = SimpleNamespace(
    path="serial",
    order=SimpleNamespace(value="all-first"),
    aim=Aim("program"),
    target=ROLES["new"],
    landing_stretches=((0, 1),),
    roles={},
    prepare=lambda _board: None,
    locate=lambda _before, _left: pytest.fail("nothing could be read"),
)
ESP32_ROLES = {
    "old": Image("old", "esp32", "1", b"\xe9", "ok"),
    "bootloader": Image("bootloader", "esp32", "1", b"\xe9", "ok"),
    "table": Image("table", "esp32", "1", LAYOUTS["two_ota_large"].pack(), "ok"),
}


def dead_core():
    lines = Lines(closed=False, identity=None)
    lines.on = lambda: None
    return SparkCore("core-01", relay=lines, mode=GPIO0, usb=lines, clock=Ticking()), ROLES


def dead_esp32():
    return board_that_says(boot=GPIO0), ESP32_ROLES


KILLED = {"a Spark Core": dead_core, "an ESP32": dead_esp32}


@pytest.fixture(params=KILLED)
def bench(request, tmp_path):
    """One whose board was well when the trial began, and says nothing since the cut."""
    board, roles = KILLED[request.param]()
    board.known, board.known_images = True, {role: image.sha256 for role, image in roles.items()}
    reads = itertools.count()
    read = board.read_flash
    board.read_flash = lambda stretches: read(stretches) if next(reads) else {0: b"\xff"}
    with Ledger(tmp_path / "ledger" / "main.jsonl") as ledger:
        bench = Bench(board, roles, ledger, Timeline(), run_id="r")
        bench._cut = lambda _trial, _lead_ms: Fired(0, 0, 0, "a relay")
        yield bench


def test_a_board_that_a_cut_killed_has_its_line_and_is_dead(bench):
    verdict = bench.run(TRIAL)
    assert verdict.outcome.dead
    assert verdict.landing.phase == UNKNOWN
    assert not verdict.landing.landed
    assert [line["kind"] for line in read_ledger(bench.ledger.path)] == ["intent", "cut"]


def test_it_is_not_cut_again_and_is_no_fault_of_the_lab(bench):
    with pytest.raises(DeviceFault, match="dead after a cut aimed at program"):
        CutUntilLanded(bench, lambda _name, _value: None)(TRIAL, lands="program")


def test_a_cut_without_an_end_is_told_in_the_runs_summary(bench, tmp_path):
    bench.board.power_off = lambda: (_ for _ in ()).throw(LabFault("the relay is gone"))
    with pytest.raises(LabFault):
        bench.run(TRIAL)
    (lost,) = unfinished(bench.ledger.path)
    told = write_report(tmp_path, a_record()).read_text()
    assert "Without an end" in told
    assert f"`{lost['trial']}` at {bench.board.name}" in told


def test_a_summary_is_silent_of_them_where_every_cut_has_its_end(bench, tmp_path):
    bench.run(TRIAL)
    assert "without an end" not in write_report(tmp_path, a_record()).read_text()


def test_a_real_port_at_which_no_loader_answers_is_a_dead_boards():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        serial = SerialAddress("127.0.0.1", mute.getsockname()[1], "raw")
        assert climbed(board_that_says((0.1, DOWNLOADS), boot=GPIO0, serial=serial)).dead


def test_a_real_port_that_is_gone_is_the_labs():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen: a port that was let go of may be another's by now
        serial = SerialAddress("127.0.0.1", nobody.getsockname()[1], "raw")
        with pytest.raises(LabFault):
            climbed(board_that_says((0.1, DOWNLOADS), boot=GPIO0, serial=serial))
