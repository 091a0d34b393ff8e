"""The copy that follows an update over the air, cut in each of its phases (reference §3.1, §3.4)."""

from __future__ import annotations

from rig.families.spark_core.campaign.dfu_trial import OtaCopy
from rig.families.spark_core.formats import flash as layout
from tests.boards.spark_core.generations import on_generations


@on_generations(("a2013", *"abc"), always="b")
def test_a_waiting_image_is_installed_at_the_next_start(bench, image, generation):
    bench.board.write_ota_image(image("new"))
    bench.board.start()
    bench.board.must.be_alive(bench.board.timing.ota_copy)
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        assert host.read(layout.APP_ADDRESS, len(image("new"))) == image("new").data
        assert host.read(layout.BACKUP_ADDRESS, len(bench.golden)) == bench.golden.data


@on_generations(("a2013", *"abc"), always="b")
def test_a_copy_cut_in_its_backup(bench, cut, image, as_expected, generation):
    as_expected(cut(OtaCopy.cut_in("backup", 0.3, image("new"), bench.board), lands="backup"))


@on_generations(("a2013", *"abc"), always="b")
def test_a_copy_cut_while_it_programs(bench, cut, image, as_expected, generation):
    as_expected(cut(OtaCopy.cut_in("program", 0.5, image("full"), bench.board), lands="program"))


@on_generations("abc", always="", timing="real")
def test_a_cut_while_the_copy_is_marked_as_under_way(bench, cut, image, as_expected, generation):
    verdict = cut(OtaCopy.cut_in("mark", 0.5, image("full"), bench.board), lands="mark")
    assert verdict.area[: len(bench.golden)] == bench.golden.data
    as_expected(verdict)
