"""Named checks of test_mutants about sweeps: what a start depends on, cuts, chunks, spans, ledger and capsules."""

from __future__ import annotations

from dataclasses import replace

from rig.errors import LabFault, Misuse
from rig.sweep.capsule import Capsule
from rig.sweep.chunk import ChunkSweep
from rig.sweep.cut_points import BEFORE, TEARS, Flash
from rig.sweep.cuts_in_a_row import CutsInARow
from rig.sweep.ledger import SweepLedger
from rig.sweep.replay import is_expected, replay
from rig.sweep.scenario import Settled
from rig.sweep.shrink import shrink
from rig.sweep.spans import Span, joined
from rig.sweep.sweep import ModelSweep
from tests.rig.sweep.plans import IMAGES, core_plan
from tests.rig.sweep.toy_board import PAGE, ToyMemory, made_of, parity, perform, toy
from tests.rig.sweep.whole_starts import answers_of, every_cut, every_row, rows_of

#: Among so many toys each way to depend on flash comes up.
TOYS = 120
NOISE = bytes.fromhex("3b1e5f804d72c6a913f40b9d8e2157ac")


def every_cut_of_many_toys_ends_as_a_whole_start(_folder):
    for seed in range(TOYS):
        scenario = toy(seed)
        found = ChunkSweep(scenario, TEARS, seed).sweep_all()
        assert answers_of(found.spans) == every_cut(scenario, TEARS, seed), f"toy {seed}"


def flash_whose_bits_a_start_clears_counts(_folder):
    """The start clears bits of a page and then asks for less than all that is in it."""

    def start(memory):
        nor = memory.nors[1]
        perform(memory, nor, nor.programming(nor.base + 4, b"\x0f\xf0"))
        return nor.ask(parity, nor.base, 1)

    _is_swept_right(made_of(start, lambda nors: _rewrite(nors[1], NOISE)))


def pages_that_a_start_made_in_part_count_whole(_folder):
    """The start erases one of two pages, and asks a question of both."""

    def start(memory):
        nor = memory.nors[0]
        perform(memory, nor, nor.erasing(nor.base))
        return nor.ask(parity, nor.base, PAGE + 1)

    _is_swept_right(made_of(start, lambda nors: _rewrite(nors[0], 2 * NOISE)))


def a_slot_that_is_written_while_flags_refer_to_it_counts(_folder):
    """Its contents are copied by every start: no cut in it is the same as another, and flags alone do not tell."""

    def start(memory):
        inside, outside = memory.nors
        if inside.read(inside.base, 2) != b"\x05\x00":
            return "runs"
        image = outside.read(outside.base, 2 * PAGE)
        perform(memory, inside, inside.erasing(inside.base + PAGE, 2))
        perform(memory, inside, inside.programming(inside.base + PAGE, image))
        return inside.read(inside.base + PAGE, 2 * PAGE).hex()

    def update(nors):
        yield from _rewrite(nors[0], b"\x05\x00")
        yield from _rewrite(nors[1], 2 * NOISE)

    _is_swept_right(made_of(start, update))


def _rewrite(nor, data):
    """Erase two pages, and write the first bytes of them: what that comes to depends on what is there then."""
    yield nor.erasing(nor.base, 2)
    yield nor.programming(nor.base, data)


def _is_swept_right(scenario):
    found = ChunkSweep(scenario, TEARS, 0).sweep_all()
    assert answers_of(found.spans) == every_cut(scenario, TEARS, 0)


def what_a_start_erased_itself_is_no_question(_folder):
    memory = ToyMemory()
    footprint = memory.trace()
    nor = memory.nors[0]
    nor.perform(nor.erasing(nor.base), 0, 1)
    nor.read(nor.base, 4)
    assert footprint.questions == []


def a_copy_that_was_erased_is_none(_folder):
    memory = ToyMemory()
    footprint = memory.trace()
    inside, outside = memory.nors
    inside.perform(inside.erasing(inside.base), 0, 1)
    run = inside.copying(inside.base, outside, outside.base, PAGE)
    inside.perform(run, 0, run.count)
    inside.perform(inside.erasing(inside.base), 0, 1)
    inside.read(inside.base, PAGE)
    assert footprint.questions == []


def a_page_is_asked_for_once(_folder):
    memory = ToyMemory()
    footprint = memory.trace()
    for _ in range(2):
        memory.nors[1].read(memory.nors[1].base, 20)
    assert [(question.first, question.last) for question in footprint.questions] == [(0, 2)]


def flash_is_whole_again_after_a_torn_operation(_folder):
    scenario = toy(1)
    flash = Flash(scenario.memory(), scenario.update, seed=0)
    for run in scenario.update.runs:
        flash.go_to(run.first)
        before = flash.contents()
        with flash.torn(run, "prefix"):
            pass
        assert flash.contents() == before


def cuts_that_are_no_neighbours_are_no_span(_folder):
    ended = Settled("new", "self")
    spans = [Span("prefix", 0, 3, ended), Span("prefix", 5, 6, ended), Span(BEFORE, 4, 4, ended)]
    assert joined(spans) == sorted(spans, key=lambda span: span.tear)


def a_wrong_answer_of_a_sweep_is_found_by_its_proof(_folder):
    sweep = ModelSweep(core_plan("server-key"))
    for result in sweep.run(jobs=1):
        wrong = tuple(Span(span.tear, span.first, span.last, Settled("dfu", "reflash")) for span in result.spans)
        sweep.progress.add(type(result)(result.begin, result.end, wrong, result.points, result.starts))
    try:
        sweep.prove(1)
    except LabFault as error:
        found = error.message
    else:
        found = "nothing"
    assert "the sweep says dfu reflash of a cut that ends in old self: spark-core server-key" in found


def a_sweep_that_was_killed_goes_on_where_it_was(folder):
    first = ModelSweep(core_plan("ota-copy"))
    ledger = SweepLedger(folder, first.plan)
    ledger.begin()
    for _, result in zip(range(5), first.run(jobs=1), strict=False):
        ledger.add(result)
    ledger.close()
    with ledger.path.open("ab") as file:
        file.write(b'{"begin":9')
    again = SweepLedger(folder, first.plan)
    known = again.resume()
    again.add(known[0])
    again.close()
    written = ledger.path.read_bytes()
    assert [(one.begin, one.end) for one in known] == [(one.begin, one.end) for one in first.progress.results.values()]
    assert b'{"begin":9{' not in written
    assert written.endswith(b"\n")


def a_ledger_of_another_sweep_is_not_gone_on_with(folder):
    ledger = SweepLedger(folder, core_plan("ota-copy"))
    ledger.begin()
    ledger.close()
    plan = core_plan("ota-copy")
    crashes = replace(plan, images={**plan.images, "new": replace(plan.images["new"], runs="crashes")})
    for other in (core_plan("ota-copy", seed=1), crashes):
        assert _misuse(SweepLedger(folder, other).resume).endswith("is of another sweep")
    assert SweepLedger(folder, core_plan("ota-copy")).resume() == []


def a_capsule_that_was_changed_is_refused(_folder):
    line = str(Capsule.of(core_plan("ota-copy"), ((3, "prefix"),), None))
    assert "was changed" in _misuse(lambda: Capsule.parse(line.replace("cut=3:", "cut=4:")))


def a_second_cut_counts(_folder):
    """In the copy that the start after a cut makes anew: its flags window strands a board that one cut does not."""
    once = Capsule.of(core_plan("ota-copy"), ((10, BEFORE),), None)
    twice = Capsule.of(core_plan("ota-copy"), ((10, BEFORE), (55_330, BEFORE)), None)
    assert [replay(capsule, IMAGES).settled.became for capsule in (once, twice)] == ["new", "dfu"]


def what_a_recovery_is_still_to_make_differs_among_first_cuts(_folder):
    """The start marks a page, and then erases another; where it finds the mark it looks at what is in that one."""

    def start(memory):
        nor = memory.nors[0]
        mark, page = nor.base + 3 * PAGE, nor.base
        if nor.read(mark, 2) == b"\x00\x00":
            return nor.read(page, PAGE).hex()
        perform(memory, nor, nor.programming(mark, b"\x00\x00"))
        perform(memory, nor, nor.erasing(page))
        return "erased"

    scenario = made_of(start, lambda nors: _rewrite(nors[0], NOISE))
    for count in (2, 3):
        found = CutsInARow(scenario, TEARS, 0, count).sweep()
        assert rows_of(found) == every_row(scenario, TEARS, 0, count)


def copies_of_pages_that_differ_among_first_cuts_differ(_folder):
    """The start copies a page that the update writes, marks that, and is asked for the copy by the next start."""

    def start(memory):
        inside, outside = memory.nors
        mark = inside.base + 3 * PAGE
        if inside.read(mark, 2) == b"\x00\x00":
            return outside.read(outside.base, PAGE).hex()
        perform(memory, outside, outside.erasing(outside.base))
        perform(memory, outside, outside.copying(outside.base, inside, inside.base, PAGE))
        perform(memory, inside, inside.erasing(inside.base))
        perform(memory, inside, inside.programming(mark, b"\x00\x00"))
        return "copied"

    scenario = made_of(start, lambda nors: _rewrite(nors[0], NOISE))
    assert rows_of(CutsInARow(scenario, TEARS, 0).sweep()) == every_row(scenario, TEARS, 0, 2)


def a_wrong_answer_about_pairs_is_found_by_its_proof(_folder):
    pairs = CutsInARow(core_plan("server-key", generation="c").scenario(), TEARS, 0)
    ended = Settled("dfu", "reflash")
    wrong = [
        replace(group, spans=tuple(replace(span, settled=ended) for span in group.spans)) for group in pairs.sweep()
    ]
    try:
        pairs.prove(wrong, 1)
    except LabFault as error:
        found = error.message
    else:
        found = "nothing"
    assert "the sweep says dfu/reflash" in found


def a_rung_that_somebody_expects_counts(_folder):
    ended = Settled("dfu", "reflash")
    expected = [is_expected(ended, text, None) for text in ("dfu", "dfu/reflash", "dfu/none", "old")]
    assert expected == [True, True, False, False]


def a_smaller_capsule_ends_the_same(_folder):
    """A cut in the copy that a first cut made the board do again: one cut of a few bytes does it, too."""
    cuts = ((20, BEFORE), (55_331, "prefix"))
    capsule = Capsule.of(core_plan("ota-copy"), cuts, Settled("dfu", "reflash"))
    smaller = shrink(capsule, IMAGES, lambda _text: None)
    assert replay(Capsule.parse(str(smaller)), IMAGES).settled == capsule.ended
    assert [(k, tear) for k, tear in smaller.cuts] == [(55_328, "prefix")]
    assert smaller.images["new"].endswith("@4")


def an_operation_that_the_update_does_not_have_is_no_cut(_folder):
    capsule = Capsule.of(core_plan("server-key"), ((10_000, BEFORE),), None)
    assert "beyond" in _misuse(lambda: replay(capsule, IMAGES))


def a_tear_that_makes_no_sense_there_is_refused(_folder):
    capsule = Capsule.of(core_plan("server-key"), ((0, "random-subset"),), None)
    assert "makes no sense" in _misuse(lambda: replay(capsule, IMAGES))


def _misuse(does) -> str:
    try:
        does()
    except Misuse as error:
        return error.message
    return "nothing was refused"
