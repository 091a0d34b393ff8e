"""`all` in place of a path or a choice's value stands for each that there is."""

from __future__ import annotations

import pytest

from rig.errors import Misuse
from rig.sweep.cut_points import TEARS
from rig.sweep.family import sweeps_of
from rig.sweep.plans import ALL, asks_for_many, plans_of

CORE = "spark-core"
PATHS = list(sweeps_of(CORE).paths)
GENERATIONS = sweeps_of(CORE).choices("dfu")["generation"]


def plans(kind, path, **chosen):
    return plans_of(kind, path, chosen, {}, TEARS, 0)


def found(kind, path, name, **chosen):
    """Path and the value of one choice of each plan, in order."""
    return [(plan.path, plan.choices[name]) for plan in plans(kind, path, **chosen)]


def test_one_path_with_what_is_usual_is_one_plan():
    assert found(CORE, "dfu", "generation") == [("dfu", "b")]


def test_every_path_is_swept_with_what_is_usual():
    assert [plan.path for plan in plans(CORE, ALL)] == PATHS


def test_every_value_of_a_choice_is_swept():
    assert found(CORE, "dfu", "generation", generation=ALL) == [("dfu", generation) for generation in GENERATIONS]


def test_every_path_is_swept_with_every_value():
    whole = plans(CORE, ALL, generation=ALL)
    assert len(whole) == len(PATHS) * len(GENERATIONS) == len({plan.identity for plan in whole})


def test_values_of_two_choices_are_combined_and_a_third_stays():
    values = sweeps_of("esp32").choices("https")
    chosen = [tuple(plan.choices.values()) for plan in plans("esp32", "https", client=ALL, idf=ALL, rollback="no")]
    assert chosen == [(client, "no", idf) for client in values["client"] for idf in values["idf"]]


@pytest.mark.parametrize("name", ["colour", "idf"])
@pytest.mark.parametrize("path", ["dfu", ALL])
@pytest.mark.parametrize("value", ["5.5", ALL])
def test_what_a_kind_does_not_let_choose_is_misuse(path, name, value):
    with pytest.raises(Misuse, match=f"'{name}'"):
        plans(CORE, path, **{name: value})


def test_a_value_that_there_is_not_is_misuse():
    with pytest.raises(Misuse, match="'z'"):
        plans(CORE, ALL, generation="z")


@pytest.mark.parametrize(
    ("path", "chosen", "many"),
    [("dfu", {}, False), (ALL, {}, True), ("dfu", {"generation": "a"}, False), ("dfu", {"generation": ALL}, True)],
)
def test_whether_many_are_asked_for_is_in_the_words(path, chosen, many):
    assert asks_for_many(path, chosen) is many
