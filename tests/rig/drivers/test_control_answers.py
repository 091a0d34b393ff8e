"""What clouds' clients make of a stranger at a control port: one line that names it, whatever it answers."""

from __future__ import annotations

import json

import pytest

from rig.drivers import control_client
from rig.drivers.https_cloud import HttpsCloudClient
from rig.errors import DeviceFault, LabFault, RigError
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.formats.json_shape import NUMBER, misfit
from tests.rig.foreign_server import stranger

CORE = {"core": "c", "since": 1.5, "peer": "p", "updated": False, "updating": False}
#: What is asked of whom, what a stranger answers, and what is said of it.
ANSWERS = {
    "nothing of what was asked for": (SparkCloudClient, "list", {}, "in its answer cores is missing"),
    "null": (SparkCloudClient, "list", {"cores": None}, "cores is no list"),
    "a field too few": (SparkCloudClient, "list", {"cores": [CORE, {"core": "c"}]}, "cores.1.since is missing"),
    "a word for a number": (SparkCloudClient, "call", {"returned": "1"}, "returned is no whole number"),
    "another kind of table": (SparkCloudClient, "describe", {"f": [], "v": []}, "v is no object"),
    "faults that are numbers": (HttpsCloudClient, "faults", {"faults": [1]}, "faults.0 is no object"),
    "a group that is a word": (HttpsCloudClient, "policy", {"products": {}, "groups": {"a": "b"}}, "a is no list"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_does_not_fit_is_told_by_its_field(tmp_path, case):
    kind, asked, answer, told = ANSWERS[case]
    said = json.dumps({"done": True, **answer}).encode()
    with stranger(tmp_path, said) as address, pytest.raises(LabFault) as caught:
        kind.at(address).ask(asked)
    assert told in str(caught.value)


#: Lines that are no answer at all.
LINES = {
    "brackets without end": b"[" * 60_000,
    "objects without end": b'{"a":' * 60_000,
    "a number without end": b"9" * 60_000,
    "an error with a list for its status": b'{"error": "no", "status": [], "hint": 3, "board": {}}',
    "an event without a name": b'{"name": "x"}',
    "an event whose name is a list": b'{"event": []}',
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_that_is_no_answer_is_a_lab_fault(tmp_path, case):
    with stranger(tmp_path, LINES[case]) as address, pytest.raises(LabFault):
        SparkCloudClient.at(address).ask("list")


def test_an_answer_without_end_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(control_client, "LONGEST_ANSWER", 1000)
    with stranger(tmp_path, b" " * 2000) as address, pytest.raises(LabFault, match="answers without end"):
        SparkCloudClient.at(address).ask("list")


def test_a_clouds_own_fault_keeps_its_kind(tmp_path):
    said = b'{"error": "is dead", "status": 1, "board": "c", "hint": "look"}'
    with stranger(tmp_path, said) as address, pytest.raises(RigError) as caught:
        SparkCloudClient.at(address).ask("list")
    assert (type(caught.value), caught.value.board, caught.value.hint) == (DeviceFault, "c", "look")


#: A value, its shape, and what does not fit.
SHAPES = {
    "true is no number": (True, NUMBER, "it is no whole number or number"),
    "1 is not true": (1, bool, "it is no true or false"),
    "null where it may be": (None, (str, None), None),
    "a number where text or null may be": (3, (str, None), "it is no text or null"),
    "whatever it is": ([{}], object, None),
    "more fields than must be there": ({"a": 1, "b": 2}, {"a": int}, None),
    "each of a table": ({"x": [1, "2"]}, {...: [int]}, "x.1 is no whole number"),
    "an empty list": ([], [{"a": int}], None),
}


@pytest.mark.parametrize("case", SHAPES)
def test_what_does_not_fit_is_named(case):
    value, shape, told = SHAPES[case]
    assert misfit(value, shape) == told
