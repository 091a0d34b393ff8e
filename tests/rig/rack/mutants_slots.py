"""Planted faults of virtual boards: which ones a rack has, and what it starts for them."""

from __future__ import annotations

from rig.cli import boards as command
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.family import rack_slot
from rig.family.rack_slot import Slot
from rig.rack import boards, plan, rack
from rig.rack.plan import RackPlan
from tests.rig.rack import checks_slots as check

REAL_USUAL_FIRST, REAL_TAGS = plan.usual_first, rack_slot.common_tags


def _usual_in_any_case(self, ctx):
    usual = {slot.kind: slot.usual for slot in command._with_short_forms()}
    short = {slot.kind: ctx.params.pop(slot.short_form) for slot in command._with_short_forms()}
    told = {kind: count if count is not None else usual[kind] * self.has_usual for kind, count in short.items()}
    ctx.params["boards"] = [
        *(f"{kind}={count}" for kind, count in told.items() if count),
        *(ctx.params["boards"] or []),
    ]
    return super(command.TakesBoards, self).invoke(ctx)


def _short_forms_mean_cores(self, ctx):
    counts = [ctx.params.pop(slot.short_form) for slot in command._with_short_forms()]
    ctx.params["boards"] = [f"spark-core={count}" for count in counts if count]
    return super(command.TakesBoards, self).invoke(ctx)


def _as_they_come(self, most, _wanted):
    return RackPlan(
        [slot for kind, count in most.items() for slot in [s for s in self.slots if s.kind == kind][:count]]
    )


def _last_of_a_name(slots):
    return list({server.name: server for slot in slots for server in slot.servers}.values())


def _one_for_each_board(slots):
    return [server for slot in slots for server in slot.servers]


def _all_or_none(*, whole=True):
    return REAL_USUAL_FIRST()


def _reset_is_wired(of):
    return {**REAL_TAGS(of), "reset": "wired"}


MUTANTS = {
    "slots: a board is what it is, whatever is asked for": (
        lambda m: m.setattr(CoreSlot, "of", classmethod(lambda cls, time_scale, _tags: cls(time_scale))),
        check.a_board_is_as_its_tags_ask,
    ),
    "boards: any word is a kind": (
        lambda m: m.setattr(boards, "checked_kind", lambda name: name),
        check.what_is_no_number_of_boards_is_told,
    ),
    "boards: as many as somebody likes": (
        lambda m: m.setattr(boards, "MOST_BOARDS", 10**9),
        check.what_is_no_number_of_boards_is_told,
    ),
    "boards: every short form is of Cores": (
        lambda m: m.setattr(command.TakesBoards, "invoke", _short_forms_mean_cores),
        check.short_forms_are_of_one_kind_each,
    ),
    "boards: usual ones come with those that are named": (
        lambda m: m.setattr(command.TakesBoards, "invoke", _usual_in_any_case),
        check.usual_boards_are_there_unless_others_are_named,
    ),
    "boards: a bounded rack has the first of each kind": (
        lambda m: m.setattr(RackPlan, "at_most", _as_they_come),
        check.a_bounded_rack_runs_as_many_cases_as_it_can,
    ),
    "rack: the last server of a name is everybody's": (
        lambda m: m.setattr(rack, "_servers_of", _last_of_a_name),
        check.two_servers_of_one_name_are_refused,
    ),
    "rack: each board has a server": (
        lambda m: m.setattr(rack, "_servers_of", _one_for_each_board),
        check.boards_that_share_a_server_have_it_once,
    ),
    "slots: a family without words on suites has no board for them": (
        lambda m: m.setattr(Slot, "for_suites", classmethod(lambda _cls, _workers, *, every_case: [])),
        check.a_family_without_words_on_suites_has_boards_for_them,
    ),
    "slots: whatever a board has, its reset is wired": (
        lambda m: m.setattr(rack_slot, "common_tags", _reset_is_wired),
        check.a_place_says_of_each_line_that_it_is_wired_and_of_no_other,
    ),
    "boards: one family that does not load is the end of all": (
        lambda m: m.setattr(plan, "usual_first", _all_or_none),
        check.a_family_that_does_not_load_costs_others_no_short_form,
    ),
}
