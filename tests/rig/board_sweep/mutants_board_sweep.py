"""Planted faults of sweeps of boards: what counts, where cuts go, what is compared, and who vouches for it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

from rig.board_sweep import draw, ends, landed_replay, model_map, on_board, one_cut, session, tally, worker
from rig.board_sweep.stratum import AGREES, DISAGREES, Fell
from rig.campaign.lead import Lead
from rig.evidence import run_life
from tests.rig.board_sweep import checks_board_sweep as check
from tests.rig.board_sweep import checks_landed as landed
from tests.rig.board_sweep import checks_on_board as replayed
from tests.rig.board_sweep import checks_place_sweep as place
from tests.rig.board_sweep import checks_session as kept


def _anywhere(self, _landing, _trial):
    return [model_map.Possible((span.first, span.tear), span.settled) for span in self._spans]


REAL_TARGET = model_map.ModelMap.target


def _fell(**takes):
    """What a landing falls into, but for some that are taken for others."""
    real = Fell.of

    def of(landing, phase):
        found = real(landing, phase)
        return takes.get(found.value, found)

    return of


def _count_inferred(self, strata=(), real=tally.Tally.counts):
    found = real(self, strata)
    for counts in found.values():
        counts.needed_hand += [False] * counts.fell[Fell.INFERRED]
    return found


def _trust_everybody(self, line, real=tally.Tally.add):
    real(self, {**line, "passed": True} if line["kind"] == tally.CONTROL else line)


def _suspect_all(self, line, real=tally.Tally.add):
    """Whatever a board ever did is suspect, and that of others."""
    real(self, line)
    if line["kind"] == tally.CONTROL and not line["passed"]:
        self._suspect += self._vouched
        self._vouched = []


def _as_they_come(self):
    return [*self._vouched, *(swept for some in self._unvouched.values() for swept in some)]


def _by_landings(cuts, policy, strata, _under_way):
    """Whoever landed least is next, for ever."""
    counts = cuts.counts(strata)
    return min(strata, key=lambda one: len(counts[one].needed_hand))


def _whole_update(self, address):
    return [(k, "before") for k in range(0, self._update.operations, 97)]


def _without_the_way_in(self, plan, spans, begins=None, real=model_map.ModelMap.__init__):
    real(self, plan, spans, None)


def _maps_begin_too_soon(m):
    m.setattr(check, "core_map", cache(check.core_map.__wrapped__))  # no other check is to have these
    m.setattr(model_map.ModelMap, "__init__", _without_the_way_in)


def _positions_of_the_update(self, phase, trial):
    whole = self._update.operations
    return sorted({span.first / whole for span in self._spans})


def _no_control_in_between(self):
    while (order := self._next_order()) is not None:
        self._make(order)
    self._control()


def _no_control_at_the_end(self):
    while (order := self._next_order()) is not None:
        self._make(order)
        if self._since_control >= self._task.rules.policy.control_every:
            self._control()


def _told_and_used_on(self, error):
    self._write(tally.CONTROL, passed=False, reason=error.message)


def _everybody_s_fault(self, error):
    self.is_unfit = True
    self._write(tally.CONTROL, passed=False, reason=error.message)


def _go_on_after_death(self, order):
    self._since_control += 1
    self._write(tally.SWEPT, **self._cutter.cut(order.number, order.stratum).to_dict())


class _Always:
    """Chance that always says the same."""

    @staticmethod
    def Random(seed):
        rng = random.Random(seed)
        return SimpleNamespace(random=lambda: 0.0, choice=rng.choice, uniform=rng.uniform)


MUTANTS = {
    "landed capsule: the model may have been cut anywhere": (
        lambda m: m.setattr(model_map.ModelMap, "possible", _anywhere),
        landed.a_landing_is_played_by_the_cuts_that_it_can_be,
    ),
    "landed capsule: whatever the model says is how it ended": (
        lambda m: m.setattr(landed_replay.LandedAgain, "happens", lambda self, ended: True),
        landed.what_the_model_does_not_say_does_not_happen,
    ),
    "landed capsule: a board that was brought back is compared by name": (
        lambda m: m.setattr(landed_replay.LandedAgain, "happens", lambda self, ended: ended in self.ends),
        landed.a_board_that_was_brought_back_is_compared_by_its_rung,
    ),
    "replay on a board: wherever the cut falls is good": (
        lambda m: m.setattr(on_board, "falls_there", lambda result, target, model, trial: True),
        replayed.a_landing_elsewhere_is_not_the_capsules,
    ),
    "replay on a board: each cut is aimed at the middle": (
        lambda m: m.setattr(
            model_map.ModelMap,
            "target",
            lambda self, cut, trials: replace(REAL_TARGET(self, cut, trials), position=0.5),
        ),
        replayed.a_cut_is_aimed_at_its_phase_and_place,
    ),
    "replay on a board: whatever became of it is the same": (
        lambda m: m.setattr(on_board, "agrees", lambda outcome, settled: True),
        replayed.what_became_of_a_board_is_compared,
    ),
    "board sweep: inferred landings count as landed": (
        lambda m: m.setattr(one_cut.Fell, "of", _fell(inferred=Fell.LANDED)),
        check.each_cut_counts_as_what_it_was,
    ),
    "board sweep: landings elsewhere count as landed": (
        lambda m: m.setattr(one_cut.Fell, "of", _fell(elsewhere=Fell.LANDED)),
        check.each_cut_counts_as_what_it_was,
    ),
    "board sweep: what misses counts as landed": (
        lambda m: m.setattr(one_cut.Fell, "of", _fell(missed=Fell.LANDED)),
        check.cuts_of_a_late_relay_miss_and_are_told,
    ),
    "board sweep: inferred landings count as survived": (
        lambda m: m.setattr(tally.Tally, "counts", _count_inferred),
        check.an_inferred_landing_is_no_evidence,
    ),
    "board sweep: nobody learns how late a relay is": (
        lambda m: m.setattr(Lead, "learn", lambda self, took_ms: False),
        check.cuts_of_a_late_relay_miss_and_are_told,
    ),
    "board sweep: a failed control cut takes nothing back": (
        lambda m: m.setattr(tally.Tally, "add", _trust_everybody),
        check.a_failed_control_cut_takes_back_what_nobody_vouches_for,
    ),
    "board sweep: a failed control cut takes everything back": (
        lambda m: m.setattr(tally.Tally, "add", _suspect_all),
        check.a_failed_control_cut_takes_back_what_nobody_vouches_for,
    ),
    "board sweep: cuts change their order when they are vouched for": (
        lambda m: m.setattr(tally.Tally, "cuts", property(_as_they_come)),
        check.cuts_are_in_the_order_in_which_they_were_asked_for,
    ),
    "board sweep: the phase that never lands is always next": (
        lambda m: m.setattr(check, "next_stratum", _by_landings),
        check.a_phase_that_is_never_hit_keeps_no_other_waiting,
    ),
    "board sweep: it goes on when every bound is met": (
        lambda m: m.setattr(ends.Ends, "needs_none_of", lambda *_: False),
        check.cuts_are_made_until_the_bound_is_met_and_no_longer,
    ),
    "board sweep: it ends before every bound is met": (
        lambda m: m.setattr(ends.Ends, "needs_none_of", lambda self, strata, cuts, *_: len(cuts.cuts) > 3),
        check.cuts_are_made_until_the_bound_is_met_and_no_longer,
    ),
    "draw: nothing is aimed at changes": (
        lambda m: m.setattr(check, "draw", lambda changes, seed, number: draw.draw([], seed, number)),
        check.half_of_all_cuts_go_where_the_outcome_changes,
    ),
    "draw: every cut is aimed at a change": (
        lambda m: m.setattr(draw, "random", _Always()),
        check.half_of_all_cuts_go_where_the_outcome_changes,
    ),
    "draw: the seed does not count": (
        lambda m: m.setattr(check, "draw", lambda changes, _seed, number: draw.draw(changes, 0, number)),
        check.half_of_all_cuts_go_where_the_outcome_changes,
    ),
    "map: positions are of the whole update": (
        lambda m: m.setattr(model_map.ModelMap, "changes", _positions_of_the_update),
        check.the_model_s_changes_are_positions_in_their_phase,
    ),
    "map: nothing is near a landing": (
        lambda m: m.setattr(model_map.ModelMap, "_near", lambda self, address: []),
        check.every_cut_of_the_model_is_on_its_own_map,
    ),
    "map: the way into readback mode counts as the trial's": (
        _maps_begin_too_soon,
        check.every_cut_of_the_model_is_on_its_own_map,
    ),
    "map: a landing can be anything in its phase": (
        lambda m: m.setattr(model_map.ModelMap, "_near", _whole_update),
        check.few_cuts_of_the_model_can_be_one_landing,
    ),
    "map: the begin of an update is as good as its end": (
        lambda m: m.setattr(model_map, "_is_same", lambda found, landing: found.phase == landing.phase),
        check.an_update_that_is_whole_and_does_not_run_is_a_disagreement,
    ),
    "map: any image will do": (
        lambda m: m.setattr(check, "agrees", lambda outcome, settled: outcome.by_itself == (settled.rung == "self")),
        check.an_image_or_a_rung_that_differs_is_not_what_the_model_says,
    ),
    "map: any rung will do": (
        lambda m: m.setattr(
            check,
            "agrees",
            lambda outcome, settled: (
                outcome.image == settled.became if settled.rung == "self" else not outcome.by_itself
            ),
        ),
        check.an_image_or_a_rung_that_differs_is_not_what_the_model_says,
    ),
    "board sweep: a board that strands where the model does not agrees": (
        lambda m: m.setattr(one_cut, "agrees", lambda outcome, settled: True),
        check.a_board_that_strands_where_the_model_does_not_is_a_disagreement,
    ),
    "board sweep: a disagreement is no finding": (
        lambda m: m.setattr(tally.Tally, "disagreements", []),
        check.a_board_that_strands_where_the_model_does_not_is_a_disagreement,
    ),
    "board sweep: nothing agrees with the model": (
        lambda m: m.setattr(one_cut, "AGREES", DISAGREES),
        check.the_same_board_as_the_model_s_is_none,
    ),
    "board sweep: inferred landings are compared": (
        lambda m: m.setattr(one_cut.Cutter, "_compare", lambda *_: (AGREES, "")),
        check.a_landing_that_is_inferred_is_not_compared,
    ),
    "session: what was written is written on": (
        lambda m: m.setattr(session.Session, "segment", lambda self, place: self._ledger / f"{place}.1.jsonl"),
        kept.a_session_goes_on_in_segments_of_its_own,
    ),
    "session: what was before is forgotten": (
        lambda m: m.setattr(session, "read_ledger", lambda path: iter(())),
        kept.a_session_knows_what_was_before_it,
    ),
    "session: a changed ledger is gone on with": (
        lambda m: m.setattr(run_life, "_refuse_changed", lambda *_: None),
        kept.a_sweep_that_was_changed_is_not_gone_on_with,
    ),
    "session: rules may change": (
        lambda m: m.setattr(session.Session, "_check", lambda self, line: None),
        kept.another_policy_or_seed_does_not_go_on_with_a_sweep,
    ),
    "session: images may change": (
        lambda m: m.setattr(session.Session, "check_images", lambda *_: None),
        kept.other_images_do_not_go_on_with_a_sweep,
    ),
    "place sweep: no control cut in between": (
        lambda m: m.setattr(worker.PlaceSweep, "work", _no_control_in_between),
        place.a_control_cut_is_made_every_so_many_cuts_and_at_the_end,
    ),
    "place sweep: no control cut at the end": (
        lambda m: m.setattr(worker.PlaceSweep, "work", _no_control_at_the_end),
        place.a_control_cut_is_made_every_so_many_cuts_and_at_the_end,
    ),
    "place sweep: a board that fails its control cut stays in use": (
        lambda m: m.setattr(worker.PlaceSweep, "_distrust", _told_and_used_on),
        place.a_board_that_fails_its_control_cut_is_used_no_more,
    ),
    "place sweep: a relay that is gone is the board's fault": (
        lambda m: m.setattr(worker.PlaceSweep, "_distrust", _everybody_s_fault),
        place.a_control_cut_whose_relay_is_gone_says_nothing_of_the_board,
    ),
    "place sweep: a dead board is cut again": (
        lambda m: m.setattr(worker.PlaceSweep, "_make", _go_on_after_death),
        place.a_dead_board_ends_its_place_and_counts,
    ),
    "place sweep: dead boards are no finding": (
        lambda m: m.setattr(tally.Tally, "dead", []),
        place.a_dead_board_ends_its_place_and_counts,
    ),
    "place sweep: a board whose firmware broke is given back": (
        lambda m: m.setattr(worker, "is_suspect", lambda *_: False),
        place.a_board_whose_firmware_broke_goes_into_quarantine,
    ),
    "place sweep: whatever the lab breaks is the board's": (
        lambda m: m.setattr(worker, "is_suspect", lambda *_: True),
        place.a_board_that_answers_when_the_lab_broke_does_not,
    ),
    "place sweep: a lab that spoils everything is not noticed": (
        lambda m: m.setattr(worker, "MOST_SPOILED", 99),
        place.a_place_that_the_lab_spoils_is_given_up,
    ),
    "place sweep: one cut that is spoiled ends it": (
        lambda m: m.setattr(worker, "MOST_SPOILED", 1),
        place.a_cut_that_the_lab_spoils_is_only_missed,
    ),
}
