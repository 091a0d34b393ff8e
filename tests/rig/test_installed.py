"""Where tests find the programs they start."""

from __future__ import annotations

import sys

import pytest

from tests.rig.installed import installed, whole_path


def program(folder, name="a-program-of-ours"):
    folder.mkdir()
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_what_lies_beside_this_python_is_found_without_a_path(monkeypatch, tmp_path):
    ours = program(tmp_path / "bin")
    monkeypatch.setattr(sys, "executable", str(ours.parent / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert installed(ours.name) == whole_path(ours.name) == str(ours)


def test_what_path_knows_goes_by_its_name_and_lies_somewhere(monkeypatch, tmp_path):
    theirs = program(tmp_path / "theirs")
    monkeypatch.setenv("PATH", str(theirs.parent))
    assert (installed(theirs.name), whole_path(theirs.name)) == (theirs.name, str(theirs))


def test_what_lies_nowhere_is_skipped_by_its_name(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pytest.skip.Exception, match="a-program-of-ours is not installed"):
        installed("a-program-of-ours")
