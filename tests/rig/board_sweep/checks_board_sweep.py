"""Named checks of test_mutants about sweeps of boards: what counts, what is compared, and who vouches for it."""

from __future__ import annotations

import random

from rig.board_sweep.draw import NEAR, draw
from rig.board_sweep.ends import Ends
from rig.board_sweep.model_map import agrees
from rig.board_sweep.one_cut import Cutter
from rig.board_sweep.stratum import AGREES, DISAGREES, NO_MAP, Fell
from rig.board_sweep.tally import next_stratum
from rig.board_sweep.verdict import verdict_of
from rig.errors import RigInterference
from rig.gate.policy import Policy
from rig.power.landing import OUTSIDE, Landing
from rig.recovery.ladder import Outcome
from rig.sweep.scenario import Settled
from tests.rig.board_sweep.made_up import (
    ERASE,
    PROGRAM,
    STRANDED,
    MadeUpBench,
    control,
    core_map,
    core_path,
    core_trial,
    model_core,
    result_of,
    swept,
    tally_of,
)

POLICY = Policy(tolerated=0.2, prior=(1.0, 20.0))
#: Landings by what becomes of their aim.
FALLS = {
    Fell.LANDED: Landing("program", 0x0800_5400, "read-back", ""),
    Fell.ELSEWHERE: Landing("erase", 0x0800_5400, "read-back", ""),
    Fell.INFERRED: Landing("program", 0x0800_5400, "inferred", ""),
    Fell.MISSED: Landing(OUTSIDE, None, "read-back", ""),
}


def cutter(bench, maps=None) -> Cutter:
    return Cutter(bench, {"dfu": core_path("dfu")}, maps or {}, seed=1)


def each_cut_counts_as_what_it_was(_folder):
    bench = MadeUpBench(*map(result_of, FALLS.values()), RigInterference("the rig was late"))
    one = cutter(bench)
    made = [one.cut(number, PROGRAM) for number in range(1, 6)]
    assert [cut.fell for cut in made] == [*FALLS, Fell.MISSED]
    counts = tally_of(*made).counts()[PROGRAM]
    assert (counts.aimed, len(counts.needed_hand)) == (5, 1)
    assert [counts.fell[fell] for fell in Fell] == [1, 1, 1, 2]


def an_inferred_landing_is_no_evidence(_folder):
    tally = tally_of(*(swept(number, Fell.INFERRED) for number in range(1, 400)))
    judged = tally.judged(Policy(), [PROGRAM])[PROGRAM]
    assert (judged.cuts, judged.word, judged.more) == (0, "need-more", 374)


def boards_that_need_a_hand_after_other_cuts_are_told_apart(_folder):
    made = [swept(number, fell, needed_hand=True) for number, fell in enumerate(Fell, 1)]
    counts = tally_of(*made).counts()[PROGRAM]
    assert (counts.needed_hand, counts.needed_hand_apart) == ([True], 3)


def cuts_of_a_late_relay_miss_and_are_told(_folder):
    late = result_of(FALLS[Fell.MISSED], took_ms=120.0)
    bench = MadeUpBench(late, result_of(FALLS[Fell.LANDED], took_ms=120.0))
    one = cutter(bench)
    missed, landed = one.cut(1, PROGRAM), one.cut(2, PROGRAM)
    assert (missed.fell, missed.late, landed.late) == (Fell.MISSED, True, False)
    assert bench.made[1][1] == 112.0, "the second command leaves sooner"
    counts = tally_of(missed).counts()[PROGRAM]
    assert (counts.late, counts.needed_hand) == (1, [])


def a_failed_control_cut_takes_back_what_nobody_vouches_for(_folder):
    lines = [swept(1), control(passed=True), swept(2), swept(3, place="core-02"), swept(4), control(passed=False)]
    tally = tally_of(*lines)
    assert [cut.number for cut in tally.cuts] == [1, 3]
    assert tally.counts()[PROGRAM].suspect == 2
    assert tally.failed_controls == {"core-01": "landed in outside"}
    assert tally.next_number == 5


def cuts_are_in_the_order_in_which_they_were_asked_for(_folder):
    """Else a plan would look at other cuts whenever a board is vouched for."""
    cuts = [swept(1), swept(3, needed_hand=True), swept(2, place="core-02"), control(passed=True, place="core-02")]
    assert [cut.number for cut in tally_of(*cuts).cuts] == [1, 2, 3]


def a_phase_that_is_never_hit_keeps_no_other_waiting(_folder):
    cuts = []
    for number in range(1, 41):
        stratum = next_stratum(tally_of(*cuts), POLICY, [ERASE, PROGRAM], [])
        cuts.append(swept(number, Fell.MISSED if stratum is ERASE else Fell.LANDED, stratum=stratum))
    assert min(sum(cut.stratum is stratum for cut in cuts) for stratum in (ERASE, PROGRAM)) >= 10


def cuts_are_made_until_the_bound_is_met_and_no_longer(_folder):
    cuts, ends = [], Ends(at_bound=True)
    while not ends.needs_none_of([PROGRAM], tally_of(*cuts), POLICY, []):
        cuts.append(swept(len(cuts) + 1))
        assert len(cuts) < 100
    assert tally_of(*cuts).judged(POLICY)[PROGRAM].word == "met"
    assert tally_of(*cuts[:-1]).judged(POLICY)[PROGRAM].word == "need-more"


def half_of_all_cuts_go_where_the_outcome_changes(_folder):
    drawn = [draw([0.3], 7, number) for number in range(2000)]
    near = sum(abs(position - 0.3) <= NEAR for position in drawn) / len(drawn)
    assert 0.47 < near < 0.57, "half of them, and what falls there by itself"
    assert min(drawn) < 0.01, "no part of a phase is left out"
    assert max(drawn) > 0.99
    assert drawn == [draw([0.3], 7, number) for number in range(2000)]
    assert drawn != [draw([0.3], 8, number) for number in range(2000)]


def the_model_s_changes_are_positions_in_their_phase(_folder):
    """A DFU update of ten pages: the first one erased costs the board, and the last word written heals it."""
    changes = core_map("dfu").changes("erase", core_trial("dfu", "erase"))
    assert [round(change, 3) for change in changes] == [0.0, 0.1]
    (_, *_, last) = core_map("dfu").changes("commit", core_trial("dfu", "commit"))
    assert 0.98 < last < 1


def every_cut_of_the_model_is_on_its_own_map(_folder):
    for path, phase, generation in (("dfu", "erase", "b"), ("ota-copy", "program", "a"), ("dfu", "commit", "c")):
        trial, core = core_trial(path, phase, generation), model_core(path, generation)
        rng, compared = random.Random(path), 0
        cuts = [(k, "before") for k in (core.begin, core.operations)]
        cuts += [(rng.randrange(core.begin, core.operations), rng.choice(("before", "prefix"))) for _ in range(25)]
        for k, tear in cuts:
            landing, outcome = core.cut(trial, k, tear)
            if landing.known_by == "read-back":
                compared += 1
                possible = core_map(path, generation).possible(landing, trial)
                assert any(agrees(outcome, one.settled) for one in possible), (path, k, tear, landing, outcome)
        assert compared > 10


def few_cuts_of_the_model_can_be_one_landing(_folder):
    """A map on which everything is possible would find no disagreement."""
    trial, core = core_trial("dfu", "program"), model_core("dfu", "b")
    landing, _ = core.cut(trial, 2000, "before")
    numbers = {one.cut[0] for one in core_map("dfu").possible(landing, trial)}
    assert numbers <= set(range(1999, 2002))
    assert 2000 in numbers


def a_board_that_strands_where_the_model_does_not_is_a_disagreement(_folder):
    """Its place says generation B, whose watchdog brings a backup back; generation A has none, and waits in DFU."""
    trial, core = core_trial("dfu", "program"), model_core("dfu", "a")
    landing, outcome = core.cut(trial, 2000, "before")
    bench = MadeUpBench(result_of(landing, outcome))
    made = cutter(bench, {"dfu": core_map("dfu")}).cut(1, PROGRAM)
    assert made.model == DISAGREES
    assert made.capsule == "the board's"
    assert "cut=2000:" in made.model_capsule or "cut=1999:" in made.model_capsule
    assert verdict_of(tally_of(made), Policy(tolerated=1), [PROGRAM], []).status == 1


def an_update_that_is_whole_and_does_not_run_is_a_disagreement(_folder):
    """Outside of the update are its begin, where the old image is right, and its end, where it is not."""
    trial, core = core_trial("dfu", "commit"), model_core("dfu", "b")
    written = next(
        number for number in range(core.operations, 0, -1) if _is_written(core.cut(trial, number, "before")[0])
    )
    landing, outcome = core.cut(trial, written, "before")
    assert (landing.phase, outcome.image) == (OUTSIDE, "new")
    old = Outcome("old", "self", 1.0, "")
    bench = MadeUpBench(result_of(landing, old), result_of(core.cut(trial, core.begin, "before")[0], old))
    one = cutter(bench, {"dfu": core_map("dfu")})
    assert [one.cut(number, PROGRAM).model for number in (1, 2)] == [DISAGREES, AGREES]


def _is_written(landing: Landing) -> bool:
    return landing.detail.startswith("everything written")


def the_same_board_as_the_model_s_is_none(_folder):
    trial, core = core_trial("dfu", "program"), model_core("dfu", "b")
    bench = MadeUpBench(result_of(*core.cut(trial, 2000, "before")))
    assert cutter(bench, {"dfu": core_map("dfu")}).cut(1, PROGRAM).model == AGREES


def a_landing_that_is_inferred_is_not_compared(_folder):
    bench = MadeUpBench(result_of(FALLS[Fell.INFERRED], STRANDED))
    assert cutter(bench, {"dfu": core_map("dfu")}).cut(1, PROGRAM).model == NO_MAP


def an_image_or_a_rung_that_differs_is_not_what_the_model_says(_folder):
    healed = Outcome("none", "power-cycle", 3.0, "")
    assert agrees(Outcome("old", "wait", 1.0, ""), Settled("old", "self"))
    assert not agrees(Outcome("new", "self", 1.0, ""), Settled("old", "self"))
    assert not agrees(healed, Settled("dfu", "reflash"))
    assert not agrees(STRANDED, Settled("old", "self"))
    assert agrees(STRANDED, Settled("dfu", "reflash"))
