"""Every cut on the model, beside the cuts that a run has made on boards."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rig.evidence.results import LAB_FAULT, PASSED, TestResult
from rig.suites.every_cut import sweep_kinds
from rig.sweep.scenario import Settled
from tests.rig.sweep.plans import MANIFEST


def a_test_of(kind: str, **properties: str) -> TestResult:
    return TestResult("a cut", PASSED, 1.0, properties={"board": kind, **properties})


@pytest.mark.parametrize("kind", ["spark-core", "esp32"])
def test_a_kind_that_was_cut_is_swept_once_with_map_and_spans(tmp_path, kind):
    results = [a_test_of(kind, hit_rate="1/1"), a_test_of(kind, hit_rate="1/2")]
    (found,), faults = sweep_kinds(results, MANIFEST, tmp_path, pytest.fail)
    assert faults == []
    assert found.kind == kind
    assert f"{found.points:,} cuts of" in (tmp_path / found.picture).read_text()
    folder = (tmp_path / found.picture).parent
    assert len((folder / "sweep.jsonl").read_text().splitlines()) > 1


def test_boards_that_were_not_cut_are_not_swept(tmp_path):
    assert sweep_kinds([a_test_of("spark-core")], MANIFEST, tmp_path, pytest.fail) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_firmware_without_the_images_is_told(tmp_path):
    told: list[str] = []
    bare = SimpleNamespace(roles=lambda _kind: {})
    assert sweep_kinds([a_test_of("spark-core", hit_rate="1/1")], bare, tmp_path, told.append) == ([], [])
    assert told == ["no map of every cut of a spark-core: a sweep needs an image that plays new"]


def test_a_sweep_whose_proof_fails_is_a_lab_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("rig.sweep.sweep.settle_whole", lambda _scenario, _contents: Settled("dfu", "none"))
    swept, (fault,) = sweep_kinds([a_test_of("esp32", hit_rate="1/1")], MANIFEST, tmp_path, pytest.fail)
    assert swept == []
    assert fault.result == LAB_FAULT
    assert "the sweep says" in fault.message
