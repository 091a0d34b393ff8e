"""Planted faults of reports: what a page leaves out, a log that loses what it was told, an end that comes too soon."""

from __future__ import annotations

from rig.cli import run_lines
from rig.evidence import cut_map, cut_maps, identity, report, report_head, results, run_log, testbed
from rig.evidence.update_path import Stretch
from rig.family.contract import family_of
from rig.lab import graceful_end
from rig.suites import report_properties
from tests.rig.evidence import checks_report as check

REAL_SUBJECT, REAL_HEAD, REAL_READ = cut_maps.Subject.of, report_head.head, run_log.read_text


def _subject_without(**blank):
    return classmethod(lambda _cls, cut: REAL_SUBJECT(cut)._replace(**blank))


def _by_name(cut):
    subject = REAL_SUBJECT(cut)
    return subject._replace(new=subject.new._replace(sha256=""))


def _of_the_image(_self, address, line):
    return (address - line["to_address"]) / line["to_size"]


def _of_another_family(_subject):
    return family_of("spark-core").update_paths["dfu"]


def _drawn_only(folder, lines):
    return cut_maps.draw_maps(folder, lines)._replace(left_out=[])


def _without_tier(record):
    return {name: value for name, value in REAL_HEAD(record).items() if name not in ("tier", "boards")}


def _without_the_last_line(path, most):
    return REAL_READ(path, most).rstrip("\n").rpartition("\n")[0] + "\n"


def _kept_in_memory(self, kind, **content):
    self.__dict__.setdefault("kept", []).append((kind, content))
    if kind in ("begun", "started"):
        REAL_WRITE(self, kind, **content)


REAL_WRITE = run_log.RunLog._write


def _as_places_say(self):
    return next((place.tier for place in self.places), "none")


def _whatever_is_in_it(timeline, report, nodeid):
    timeline.write(report / "timelines" / f"{nodeid.partition('::')[2].replace('test_', 'mine-')}.jsonl")


def _raises_at_once(self, _number, _frame):
    self._is_requested = True
    raise graceful_end.EndRequested


MUTANTS = {
    "cut maps: variants are mixed": (
        lambda m: m.setattr(cut_maps.Subject, "of", _subject_without(variant="")),
        check.cuts_of_two_variants_are_on_two_maps,
    ),
    "cut maps: an image is its name": (
        lambda m: m.setattr(cut_maps.Subject, "of", staticmethod(_by_name)),
        check.cuts_of_two_images_of_one_name_are_on_two_maps,
    ),
    "cut maps: every mark is a page's": (
        lambda m: m.setattr(cut_map, "_is_square", lambda _line: True),
        check.a_legend_is_of_the_marks_that_are_drawn,
    ),
    "cut maps: every phase writes where the image goes": (
        lambda m: m.setattr(Stretch, "share", _of_the_image),
        check.a_mark_lies_in_the_stretch_that_its_phase_writes,
    ),
    "cut maps: an unknown path is drawn as another's": (
        lambda m: m.setattr(cut_maps, "_path_of", _of_another_family),
        check.a_map_that_nobody_here_can_draw_is_left_out_of_the_report_aloud,
    ),
    "cut maps: a map that is left out is not told": (
        lambda m: m.setattr(report, "draw_maps", _drawn_only),
        check.a_map_that_nobody_here_can_draw_is_left_out_of_the_report_aloud,
    ),
    "head: the tier is left out": (
        lambda m: m.setattr(report_head, "head", _without_tier),
        check.every_head_has_the_tier,
    ),
    "title: a virtual run is a run": (
        lambda m: m.setattr(testbed.Testbed, "titled", lambda _self, run: f"Run {run}"),
        check.every_title_says_virtual,
    ),
    "testbed: places are believed more than the rack": (
        lambda m: m.setattr(testbed.Testbed, "tier", property(_as_places_say)),
        check.a_virtual_rack_is_virtual_whatever_its_places_say,
    ),
    "testbed: the first place stands for all": (
        lambda m: m.setattr(testbed.Testbed, "tier", property(_as_places_say)),
        check.a_twin_among_real_boards_is_told,
    ),
    "identity: all firmware of the manifest is named": (
        lambda m: m.setattr(identity.RunIdentity, "narrowed", lambda self, _results: self),
        check.only_firmware_that_was_used_is_named,
    ),
    "rebuild: the last result is lost": (
        lambda m: m.setattr(run_log, "read_text", _without_the_last_line),
        check.the_last_result_is_on_the_disk,
    ),
    "log: results are written at the end": (
        lambda m: m.setattr(run_log.RunLog, "_write", _kept_in_memory),
        check.the_last_result_is_on_the_disk,
    ),
    "rebuild: what was killed has passed": (
        lambda m: m.setattr(run_log, "judge_interrupted", results.judge),
        check.a_run_without_an_end_was_killed,
    ),
    "log: nothing needs a look": (
        lambda m: m.setattr(run_lines, "chosen", lambda _record, *, verbose: []),
        check.a_fault_is_at_the_end_of_a_log,
    ),
    "timeline: every test has one": (
        lambda m: m.setattr(report_properties, "keep_timeline", _whatever_is_in_it),
        check.only_a_test_in_which_something_happened_has_a_timeline,
    ),
    "end: a request is interrupted": (
        lambda m: m.setattr(graceful_end.GracefulEnd, "_on_signal", _raises_at_once),
        check.a_request_is_not_left_half_way,
    ),
}
