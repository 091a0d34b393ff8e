"""The copy that follows an update over the air, cut in each of its phases (reference §3.1, §3.4)."""

from __future__ import annotations

from generations import on_generations

from rig.campaign.trial import OtaCopy
from rig.formats import spark_flash as layout


@on_generations(("a2013", *"abc"), always="b")
def test_a_waiting_image_is_installed_at_the_next_start(bench, image, generation):
    bench.board.lay_ota(image("new"))
    bench.board.start()
    assert bench.board.is_alive(bench.board.timing.ota_copy)
    bench.board.enter_dfu()
    with bench.board.dfu() as host:
        assert host.read(layout.APP_ADDRESS, len(image("new"))) == image("new").data
        assert host.read(layout.BACKUP_ADDRESS, len(bench.golden)) == bench.golden.data


@on_generations(("a2013", *"abc"), always="b")
def test_a_copy_cut_in_its_backup_is_made_again(bench, cut, image, generation):
    verdict = cut(OtaCopy.cut_in("backup", 0.3, image("new"), bench.board), lands="backup")
    assert (verdict.outcome.image, verdict.outcome.by_itself) == ("new", True)


@on_generations("abc", always="b")
def test_a_copy_cut_while_it_programs_is_rolled_back(bench, cut, image, generation):
    verdict = cut(OtaCopy.cut_in("program", 0.5, image("full"), bench.board), lands="program")
    assert (verdict.outcome.image, verdict.outcome.by_itself) == ("old", True)


@on_generations(("a2013",), always="")
def test_a_copy_of_2013_cut_while_it_programs_is_made_again_and_loses_its_backup(
    bench, cut, image, known_defect, generation
):
    verdict = cut(OtaCopy.cut_in("program", 0.5, image("full"), bench.board), lands="program")
    assert (verdict.outcome.image, verdict.outcome.by_itself) == ("new", True)
    known_defect("copy-of-2013-loses-its-backup")


@on_generations("abc", always="", timing="real")
def test_a_cut_while_the_copy_is_marked_as_under_way(bench, cut, image, generation):
    verdict = cut(OtaCopy.cut_in("mark", 0.5, image("full"), bench.board), lands="mark")
    assert verdict.area[: len(bench.golden)] == bench.golden.data
    assert verdict.outcome.name == ("old" if generation == "c" else "stranded")
