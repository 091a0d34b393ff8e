"""A family from outside: what `rig` and stock labgrid do with its boards, and nothing of that is written in the rig."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

import rig as package
from tests.rig.families.pinboards import MANIFEST, PROJECT, SUITE, install, rig
from tests.rig.rack.test_rack import Up
from tests.rig.waiting import HANGS


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(PROJECT, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def up(installed):
    with pytest.MonkeyPatch.context() as environment:
        for name, value in installed.items():
            environment.setenv(name, value)
        rack = Up("--boards", "pinboard=2", "--manifest", str(MANIFEST))
        yield rack
        rack.end()


@pytest.fixture(scope="module")
def run(up, installed, tmp_path_factory):
    """The suite, run on that rack: its events by name, and the report folder."""
    report = tmp_path_factory.mktemp("run") / "report"
    words = ("--rack", up.ready["environment"], "--coordinator", up.coordinator, "--manifest", MANIFEST)
    done = rig("run", "--json", "--report", report, *words, SUITE, env=installed)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], report


def said(up: Up, place: str, line: str) -> str:
    """What the board in a place answers."""
    port = up.ready["boards"][place]["wire"]
    with socket.create_connection((port["host"], port["port"]), timeout=HANGS) as wire:
        wire.sendall(f"{line}\n".encode())
        with wire.makefile() as lines:
            return next(text.strip() for text in lines if text.startswith("app"))


def test_the_stock_client_lists_acquires_switches_and_releases(up):
    assert up.client("places").split() == ["pinboard-01", "pinboard-02"]
    shown = up.client("-p", "pinboard-01", "show")
    assert all(tag in shown for tag in ("board=pinboard", "button=wired", "timing=real"))
    assert "reset=wired" not in shown, "it has no such line"
    up.client("-p", "pinboard-01", "acquire")
    up.client("-p", "pinboard-01", "io", "high", "button")
    assert "is high" in up.client("-p", "pinboard-01", "io", "get", "button")
    up.client("-p", "pinboard-01", "io", "low", "button")
    up.client("-p", "pinboard-01", "power", "cycle")
    assert said(up, "pinboard-01", "hello") == "app 1.0"
    up.client("-p", "pinboard-01", "release")


def test_its_suite_passes(run):
    events, _ = run
    finished = {event["name"]: event["result"] for event in events if event["event"] == "finished"}
    assert set(finished.values()) == {"passed"}
    assert len(finished) == 5


def test_nothing_of_it_is_in_the_rig():
    sources = {str(path): path.read_text() for path in Path(package.__path__[0]).rglob("*.py")}
    assert [path for path, text in sources.items() if "pinboard" in text.lower()] == []
