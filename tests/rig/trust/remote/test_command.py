"""`rig trust swap` with a real nginx and sshd, and the file in which a team keeps its servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.errors import Misuse
from rig.trust.authority import make_root
from rig.trust.keys import make_key
from rig.trust.remote.plan import read_plan
from tests.rig.installed import installed
from tests.rig.trust.remote.checks_nginx import der, is_as_before, refused
from tests.rig.trust.remote.nginx_lab import HOST, nginx_lab
from tests.rig.waiting import HANGS, until

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def lab(tmp_path):
    with nginx_lab(tmp_path) as running:
        yield running


def servers(lab, **changes) -> Path:
    """A file of servers with one entry."""
    output = json.loads(lab.plan(**changes).model_dump_json(exclude_none=True))
    path = lab.folder / "servers.toml"
    path.write_text("[ota]\n" + toml(output))
    return path


def toml(entry) -> str:
    """Text, numbers and lists look the same in JSON."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())


def rig_command(*words) -> list[str]:
    return [sys.executable, "-m", "rig", "trust", "swap", *map(str, words)]


def rig(*words) -> subprocess.CompletedProcess[str]:
    return subprocess.run(rig_command(*words), capture_output=True, text=True, timeout=HANGS, cwd=ROOT)


def rig_process(*words) -> subprocess.Popen[str]:
    return subprocess.Popen(rig_command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def steps_of(told):
    """What was done, in order; whether a worker of before is still there, and is waited for, is nginx's own."""
    return [step["what"] for step in told["steps"] if step["what"] != "waiting"]


def test_the_command_swaps_tells_and_restores(lab):
    chain, key = lab.store(new := lab.issue())
    plan = lab.plan()
    words = ["--name", HOST, "--live-chain", plan.live_chain, "--live-key", plan.live_key, "--roots", lab.ca]
    words += ["--address", plan.addresses[0], "--identity-file", lab.user_key, "--host-key", lab.host_line]
    words += ["--nginx", " ".join(lab.called), "--json"]
    done = rig(plan.ssh, *words, "--chain", chain, "--key", key)
    output = json.loads(done.stdout)
    assert (output["shown"], output["former"]) == (new.fingerprint, lab.first[HOST].fingerprint)
    assert steps_of(output)[-3:] == ["reloaded", "verified", "kept"]
    assert rig(plan.ssh, *words, "--restore").returncode == 0
    assert lab.leaf() == der(lab.first[HOST])


def test_a_dry_run_changes_nothing_and_tells_what_it_found(lab):
    chain, key = lab.store(lab.issue())
    done = rig(servers(lab), "ota", "--chain", chain, "--key", key, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would become links" in done.stdout
    assert not lab.releases().exists()
    assert lab.leaf() == der(lab.first[HOST])


def test_a_failure_is_one_line_or_one_object_with_its_steps(lab):
    chain, key = lab.store(lab.issue())
    config = servers(lab, reload=["false"])
    done = rig(config, "ota", "--chain", chain, "--key", key)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    output = json.loads(rig(config, "ota", "--chain", chain, "--key", key, "--json").stdout)
    assert output["rolled_back"] is True
    assert steps_of(output)[-3:] == ["failed", "put back", "rolled back"]
    assert is_as_before(lab)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_end_rolls_back_first(lab, tmp_path, number):
    flag = tmp_path / "reloading"
    chain, key = lab.store(lab.issue())
    once = f"[ -e {flag} ] && exec {' '.join(lab.called)} -s reload; touch {flag}; exec sleep 20"
    process = rig_process(servers(lab, reload=["sh", "-c", once]), "ota", "--chain", chain, "--key", key)
    until(flag.exists, "the reload")
    process.send_signal(number)
    _, told = process.communicate(timeout=HANGS)
    assert process.returncode == 3
    assert "it was interrupted; rolled back" in told
    assert is_as_before(lab)


def test_no_private_key_is_told_anywhere(lab):
    chain, key = lab.store(new := lab.issue())
    said = [rig(servers(lab, **how), "ota", "--chain", chain, "--key", key, *words) for how, words in LOUD]
    secret = b"".join(new.key_pem.splitlines()[1:-1]).decode()
    for text in (each.stdout + each.stderr for each in said):
        assert text
        assert "PRIVATE" not in text
        assert secret[-40:] not in text
    assert "PRIVATE" not in repr(new)


LOUD = [({"reload": ["false"]}, ["--json"]), ({"seconds": 1}, []), ({"ssh": "nobody@127.0.0.1:1"}, [])]

SOUND = {"ssh": "a@b", "names": ["ota"], "live_chain": "/a", "live_key": "/b"}
WRONG_ENTRIES = {
    "no name": ({"names": []}, "ota.names"),
    "an address without a port": ({"addresses": ["b"]}, "ota.addresses: the address b is not"),
    "a login without a user": ({"ssh": "b"}, "ota.ssh: 'b' is not USER@HOST[:PORT]"),
    "a relative path": ({"live_chain": "a"}, "ota.live_chain: 'a' is no absolute path of a file"),
    "names in one string": ({"names": "a"}, 'ota.names: needs a list, such as ["a"]'),
    "nginx in one string": ({"nginx": "sudo nginx"}, "ota.nginx: needs a list"),
    "one file for both": ({"live_key": "/a"}, "ota: live_chain and live_key are one file"),
    "a word nobody knows": ({"password": 1}, "ota.password"),
    "a time that never ends": ({"seconds": 1e9}, "ota.seconds"),
    "no command": ({"nginx": []}, "ota.nginx"),
}


@pytest.mark.parametrize("case", WRONG_ENTRIES)
def test_a_wrong_entry_of_a_file_of_servers_is_told_by_its_field(tmp_path, case):
    change, message = WRONG_ENTRIES[case]
    path = tmp_path / "servers.toml"
    path.write_text("[ota]\n" + toml({**SOUND, **change}))
    error = refused(lambda: read_plan(path, "ota"))
    assert isinstance(error, Misuse)
    assert f"{path}: {message}" in str(error)
    assert "\n" not in str(error)


def test_a_file_of_servers_that_is_none_is_told(tmp_path):
    path = tmp_path / "servers.toml"
    path.write_text("[ota\n")
    assert "is not TOML" in str(refused(lambda: read_plan(path, "ota")))
    path.write_text("[other]\n" + toml(SOUND))
    assert "knows no server 'ota' (hint: one of other)" in str(refused(lambda: read_plan(path, "ota")))


def test_paths_in_a_file_of_servers_begin_where_it_lies(tmp_path):
    path = tmp_path / "servers.toml"
    path.write_text("[ota]\n" + toml({**SOUND, "known_hosts": "known", "roots": "/r.pem", "identity_files": ["k"]}))
    plan = read_plan(path, "ota")
    assert (plan.known_hosts, plan.roots) == (tmp_path / "known", Path("/r.pem"))
    assert plan.address.identity_files == (tmp_path / "k",)
    assert plan.endpoints == [("b", 443)]


WRONG_WORDS = {
    "neither files nor --restore": (["a@b"], "--chain and --key, or --restore"),
    "a chain without its key": (["a@b", "--chain", "x"], "--chain and --key, or --restore"),
    "both": (["a@b", "--chain", "x", "--key", "y", "--restore"], "--chain and --key, or --restore"),
    "no name": (["a@b", "--restore"], "needs --name"),
    "a file and no entry": (["servers.toml", "--restore"], "of a file of servers one is to be named"),
    "nginx in half a quote": (
        ["a@b", "--restore", "--nginx", "'"],
        """--nginx "'" is no command: no closing quotation""",
    ),
    "a reload that ends in an escape": (["a@b", "--restore", "--reload", "x \\"], "is no command: no escaped"),
    "an nginx of no word": (["a@b", "--restore", "--nginx", " "], "--nginx names no command"),
    "a file that is not there": (["nowhere.toml", "x", "--restore"], "cannot read the servers nowhere.toml"),
}


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_wrong_command_line_is_one_line_with_a_hint(case):
    words, message = WRONG_WORDS[case]
    done = rig(*words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr


def test_roots_that_break_rules_are_nobodys_business(lab, tmp_path):
    """Systems still have roots with a serial number of 0, of which the library warns."""
    command = [installed("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Old", "-keyout"]
    old = tmp_path / "old.pem"
    subprocess.run([*command, "/dev/null", "-set_serial", "0", "-out", str(old)], check=True, capture_output=True)
    bundle = tmp_path / "roots.pem"
    bundle.write_bytes(old.read_bytes() + lab.ca.read_bytes())
    chain, key = lab.store(lab.issue())
    words = [servers(lab, roots=None), "ota", "--chain", chain, "--key", key, "--dry-run"]
    system = {**os.environ, "SSL_CERT_FILE": str(bundle)}
    done = subprocess.run(rig_command(*words), capture_output=True, text=True, cwd=ROOT, env=system)
    assert (done.returncode, done.stderr) == (0, "")
    assert rig(servers(lab, roots=bundle), *words[1:]).stderr == ""


def test_a_killed_command_is_ended_by_the_next(lab, tmp_path):
    """kill -9 in the middle: renamed, and the reload never returned."""
    flag = tmp_path / "reloading"
    chain, key = lab.store(new := lab.issue())
    config = servers(lab, reload=["sh", "-c", f"touch {flag}; exec sleep 20"])
    process = rig_process(config, "ota", "--chain", chain, "--key", key)
    until(flag.exists, "the reload")
    process.kill()
    process.communicate()
    with lab.remote() as remote:
        until(lambda: refused(remote.look) is None, "the server to let go")
        assert [step.what for step in lab.steps] == ["found"]
        assert remote.swap(new) == new.fingerprint
    assert lab.leaf() == der(new)
    assert [step.what for step in lab.steps][-1] == "nothing to do"


def expired(lab):
    begins = datetime.now(UTC) - timedelta(days=100)
    return lab.intermediate.issue(HOST, begins=begins, life=timedelta(days=90))


def by_a_broken_authority(lab):
    """What was issued in an authority's name, and not by its key."""
    return make_root("Lab Root").intermediate("Lab Intermediate").issue(HOST).serving(*lab.intermediate.path)


FLAWED = {
    "wrong-name": lambda lab: lab.intermediate.issue("else.rig.test"),
    "missing-intermediate": lambda lab: lab.intermediate.issue(HOST).serving(),
    "broken-authority": by_a_broken_authority,
    "expired": expired,
    "weak-key": lambda lab: lab.root.issue(HOST, key=make_key("rsa-1024")),
    "unknown-root": lambda lab: make_root("Stranger").intermediate("Strange").issue(HOST),
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_a_flawed_identity_is_refused_before_anybody_is_called(lab, flaw):
    lab.stop_sshd()
    chain, key = lab.store(FLAWED[flaw](lab))
    done = rig(servers(lab), "ota", "--chain", chain, "--key", key)
    lab.restart_sshd(lab.host_key)
    assert done.returncode == 2, done
    assert f"{flaw}: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_flaw_that_is_wanted_is_accepted_by_name(lab):
    chain, key = lab.store(identity := expired(lab))
    done = rig(servers(lab), "ota", "--chain", chain, "--key", key, "--accept", "expired")
    assert done.returncode == 0, done
    assert lab.leaf() == der(identity)
