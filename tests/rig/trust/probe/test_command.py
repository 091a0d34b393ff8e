"""The probe as a command: whom it is told to look at, what it reads and writes, and how it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
import sys

import pytest

from rig.errors import Misuse
from rig.trust.identity import pem
from rig.trust.probe.probe import Target
from rig.trust.probe.report import HostReport, load_reports
from rig.trust.probe.roots import load_roots
from tests.rig.trust.probe.probe_lab import ECDSA, EXPIRED, MIDDLE, ROOT, RSA, codes, look
from tests.rig.trust.tls_servers import HOST, LOOPBACK, endpoint
from tests.rig.waiting import HANGS

TARGETS = {
    "ota.example": ("ota.example", 443),
    "ota.example:8443": ("ota.example", 8443),
    "192.0.2.1:8443": ("192.0.2.1", 8443),
    "::1": ("::1", 443),
    "[::1]:8443": ("::1", 8443),
    "0:0::1": ("::1", 443),
}


@pytest.mark.parametrize("text", TARGETS)
def test_a_target_is_read(text):
    assert dataclasses.astuple(Target.parse(text)) == TARGETS[text]


@pytest.mark.parametrize("text", ["", "a b", "a:", "a:x", "a:0", "a:70000", "https://a/", "[a]:1", "a..b", "[::1"])
def test_what_is_no_target_is_misuse(text):
    with pytest.raises(Misuse):
        Target.parse(text)


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    report = look(endpoint(ECDSA))
    (tmp_path / "before.jsonl").write_text(f"{report.model_dump_json()}\n\n{report.model_dump_json()}\n")
    assert load_reports(tmp_path / "before.jsonl") == [report, report]


@pytest.mark.parametrize("text", ["{", "[]", '{"host": 1}', '{"host": "a", "port": "x"}', "\xff"])
def test_a_file_that_is_no_report_is_misuse_that_names_its_line(tmp_path, text):
    (tmp_path / "before.jsonl").write_text("\n" + text)
    with pytest.raises(Misuse, match="line 2"):
        load_reports(tmp_path / "before.jsonl")


def test_roots_are_read_from_a_file_and_from_a_folder(tmp_path):
    (tmp_path / "one.pem").write_bytes(pem(ROOT.certificate))
    (tmp_path / "two.crt").write_bytes(pem(ROOT.certificate) + pem(MIDDLE.certificate))
    assert load_roots(tmp_path / "one.pem") == (ROOT.certificate,)
    assert load_roots(tmp_path) == (ROOT.certificate, MIDDLE.certificate)
    for path in (tmp_path / "none.pem", tmp_path / "none"):
        with pytest.raises(Misuse):
            load_roots(path)


def command(identity, folder, *words):
    """What the command says of an endpoint: exit status, output, error."""

    async def act():
        (folder / "root.pem").write_bytes(pem(ROOT.certificate))
        async with endpoint(identity) as port:
            where = ("--address", f"{LOOPBACK}:{port}", "--roots", str(folder / "root.pem"))
            given = (sys.executable, "-m", "rig", "trust", "probe", HOST, *where, *words)
            return await asyncio.to_thread(subprocess.run, given, capture_output=True, text=True, timeout=HANGS)

    return asyncio.run(act())


def test_the_command_prints_one_object_and_exits_by_what_it_found(tmp_path):
    good, bad = command(RSA, tmp_path, "--json"), command(EXPIRED, tmp_path, "--json")
    assert (good.returncode, bad.returncode) == (0, 1)
    assert codes(HostReport.model_validate_json(bad.stdout)) >= {"expired"}
    (tmp_path / "before.jsonl").write_text(good.stdout)
    again = command(MIDDLE.issue(HOST, key=RSA.key), tmp_path, "--json", "--before", str(tmp_path / "before.jsonl"))
    assert "key-kept" in codes(HostReport.model_validate_json(again.stdout))


def test_the_command_shows_people_what_is_broken(tmp_path):
    said = command(EXPIRED, tmp_path)
    assert said.returncode == 1
    assert said.stdout.splitlines()[0] == HOST, "its port 443 was not looked at"
    assert re.search(r"broken +expired", said.stdout)
    assert "Probe Intermediate" in said.stdout


def test_what_a_stranger_wrote_into_a_certificate_does_not_act_on_a_terminal(tmp_path):
    said = command(MIDDLE.issue(HOST, common_name="[/x]\x1b[31mred"), tmp_path)
    assert "\x1b[31mred" not in said.stdout
    assert r"[/x]\x1b[31mred" in said.stdout


MISUSES = {
    "no such file": ("--before", "nowhere.jsonl"),
    "a name as an address": ("--address", "ota.example"),
    "a family that is none": ("--family", "ipv5"),
}


@pytest.mark.parametrize("case", MISUSES)
def test_what_cannot_be_meant_is_one_line_and_exit_2(case, tmp_path):
    said = command(RSA, tmp_path, *MISUSES[case])
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
