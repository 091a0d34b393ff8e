"""Sessions over SSH with a real sshd: whom we trust, by which key we come, and that commands arrive as they are."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import LabFault, Misuse
from rig.trust.remote.ssh import SshSession
from rig.trust.remote.ssh_address import SshAddress
from tests.rig.installed import installed
from tests.rig.trust.remote.checks_nginx import refused
from tests.rig.trust.remote.nginx_lab import nginx_lab, private_key
from tests.rig.waiting import HANGS, until


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with nginx_lab(tmp_path_factory.mktemp("ssh")) as running:
        yield running


def connect(lab, **changes) -> None:
    SshSession.connect(lab.plan(**changes).address).close()


def test_a_host_key_that_changed_is_refused_and_both_are_told(lab, tmp_path):
    line = private_key(tmp_path / "stranger")
    (tmp_path / "known").write_text(f"[127.0.0.1]:{lab.ssh_port} {line}\n")
    error = refused(lambda: connect(lab, known_hosts=tmp_path / "known"))
    assert isinstance(error, LabFault)
    assert re.search(r"has changed: it shows SHA256:\S{43}, known is SHA256:\S{43}", error.message)


def test_a_pinned_host_key_alone_counts(lab, tmp_path):
    connect(lab, host_key=lab.host_line, known_hosts=tmp_path / "nowhere")
    error = refused(lambda: connect(lab, host_key=private_key(tmp_path / "stranger")))
    assert "has changed" in str(error)
    assert "is no host key" in str(refused(lambda: connect(lab, host_key="ssh-ed25519 garbage")))


def test_the_fingerprint_is_the_one_ssh_keygen_prints(lab, tmp_path):
    (tmp_path / "known").write_text("")
    error = refused(lambda: connect(lab, known_hosts=tmp_path / "known"))
    printed = subprocess.run([installed("ssh-keygen"), "-lf", f"{lab.host_key}.pub"], capture_output=True, text=True)
    assert printed.stdout.split()[1] in str(error)


KNOWN = {
    "as it is": ("{at} {key}", True),
    "with a comment, among others": ("# of ours\n\nelse.example {other} me\n{at},alias {key} the lab\n", True),
    "beside an authority and lines that are none": ("@cert-authority * {other}\nnonsense\na b c\n{at} {key}", True),
    "beside another kind of key": ("{at} ssh-rsa AAAA\n{at} {key}", True),
    "taken back": ("{at} {key}\n@revoked * {key}", False),
    "an authority's": ("@cert-authority * {key}", False),
    "of another port": ("127.0.0.1 {key}", False),
    "cut off": ("{at} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", False),
}


@pytest.mark.parametrize("case", KNOWN)
def test_known_hosts_are_read_as_openssh_does(lab, tmp_path, case):
    text, is_taken = KNOWN[case]
    at, path = f"[127.0.0.1]:{lab.ssh_port}", tmp_path / "known"
    path.write_text(text.format(at=at, key=lab.host_line, other=private_key(tmp_path / "other")))
    error = refused(lambda: connect(lab, known_hosts=path))
    assert (error is None) == is_taken, error
    assert is_taken or "is not known" in str(error)


def test_a_hashed_name_is_known(lab, tmp_path):
    path = tmp_path / "known"
    path.write_text(lab.known_hosts.read_text())
    subprocess.run([installed("ssh-keygen"), "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "127.0.0.1" not in path.read_text()
    connect(lab, known_hosts=path)


def test_an_agents_key_is_taken(lab, monkeypatch, tmp_path):
    socket = tmp_path / "agent"
    agent = subprocess.Popen([installed("ssh-agent"), "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        until(socket.exists, "the agent")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert isinstance(refused(lambda: connect(lab, identity_files=())), Misuse)
        subprocess.run([installed("ssh-add"), "-q", str(lab.user_key)], check=True, env=dict(os.environ))
        connect(lab, identity_files=())
    finally:
        agent.terminate()
        agent.wait(HANGS)


def encrypted(lab, folder):
    path = folder / "encrypted"
    command = [installed("ssh-keygen"), "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)]
    subprocess.run(command, check=True)
    return {"identity_files": [path]}


def stranger(lab, folder):
    private_key(folder / "stranger")
    return {"identity_files": [folder / "stranger"]}


NOT_LET_IN = {
    "a key that the server does not know": (stranger, Misuse, "takes none of our keys"),
    "a key with a passphrase": (encrypted, Misuse, "needs a passphrase"),
    "a key file that is not there": (
        lambda *_: {"identity_files": ["/nowhere/key"]},
        Misuse,
        "cannot read /nowhere/key",
    ),
    "known hosts that are not there": (lambda *_: {"known_hosts": "/nowhere"}, Misuse, "cannot read known hosts"),
    "a port where nobody listens": (lambda *_: {"ssh": "root@127.0.0.1:1"}, LabFault, "refused"),
    "a port where no SSH is spoken": (lambda lab, _: {"ssh": f"root@127.0.0.1:{lab.port}"}, LabFault, "cannot log in"),
}


@pytest.mark.parametrize("case", NOT_LET_IN)
def test_who_is_not_let_in_hears_why_in_a_line_with_a_hint(lab, monkeypatch, tmp_path, case):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    change, kind, message = NOT_LET_IN[case]
    error = refused(lambda: connect(lab, **change(lab, tmp_path)))
    assert type(error) is kind
    assert message in error.message.lower() if message == "refused" else message in error.message
    assert error.hint
    assert "\n" not in str(error)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), max_size=5))
def test_arguments_arrive_as_they_are(lab, words):
    with lab.session() as session:
        done = session.run(["printf", "%s\\0", *words, "end"])
    assert (done.status, done.out.split("\0")) == (0, [*words, "end", ""])


def test_a_command_tells_its_status_and_both_outputs(lab):
    with lab.session() as session:
        done = session.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.out, done.err, done.last_line) == (3, "out\n", "err\n", "err")


def test_a_command_that_does_not_end_is_given_up(lab):
    with lab.session() as session:
        error = refused(lambda: session.run(["sleep", "60"], seconds=0.2))
        assert "did not end within" in str(error)
        assert session.run(["true"]).status == 0


def test_a_command_that_is_killed_is_a_fault(lab):
    with lab.session() as session:
        assert "was ended" in str(refused(lambda: session.run(["sh", "-c", "kill -9 $$"])))


def test_a_file_is_new_whole_and_for_its_owner(lab, tmp_path):
    path, content = str(tmp_path / "new"), os.urandom(100_000)
    with lab.session() as session:
        session.put(path, content, 0o600)
        assert (session.read(path), session.rights(path).mode, session.kind(path)) == (content, 0o600, "file")
        assert "cannot write" in str(refused(lambda: session.put(path, b"", 0o600)))


@pytest.fixture
def small_disk(tmp_path):
    """A folder with room for 16 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = [installed("mount"), "-t", "tmpfs", "-o", "size=16k", "none", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("nobody may mount anything here")
    yield folder
    subprocess.run([installed("umount"), str(folder)], check=True)


def test_a_full_disk_is_told_with_what_was_written_and_where(lab, small_disk):
    with lab.session() as session:
        error = refused(lambda: session.put(f"{small_disk}/new", bytes(100_000), 0o600))
        assert f"cannot write {small_disk}/new: the disk is full: nothing is left at {small_disk}" in str(error)
        session.remove(f"{small_disk}/new")
        session.put(f"{small_disk}/new", bytes(1000), 0o600)


def test_links_are_renamed_over_and_folders_removed(lab, tmp_path):
    link = str(tmp_path / "link")
    with lab.session() as session:
        session.make_folder(str(tmp_path / "folder"), 0o711)
        session.put(str(tmp_path / "folder" / "file"), b"x", 0o644)
        for target in ("one", "two"):
            session.link(link, target)
        assert (session.target(link), session.kind(link), session.rights(str(tmp_path / "folder")).mode) == (
            "two",
            "link",
            0o711,
        )
        assert session.names(str(tmp_path)) == ["folder", "link"]
        for name in ("folder", "link", "nothing"):
            session.remove(str(tmp_path / name))
    assert not list(tmp_path.iterdir())


ADDRESSES = {
    "deploy@ota.example": ("deploy", "ota.example", 22),
    "deploy@ota.example:2222": ("deploy", "ota.example", 2222),
    "a@b@host": ("a@b", "host", 22),
    "root@[::1]": ("root", "::1", 22),
    "root@[::1]:2222": ("root", "::1", 2222),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read(text):
    read = SshAddress.parse(text)
    assert (read.user, read.host, read.port) == ADDRESSES[text]


@pytest.mark.parametrize(
    "text", ["", "host", "@host", "user@", "user@:22", "u@h:", "u@h:0", "u@h:65536", "u@::1", "u@[]"]
)
def test_what_is_no_address_is_misuse(text):
    assert "is not USER@HOST[:PORT]" in str(refused(lambda: SshAddress.parse(text)))


@given(st.text())
def test_an_address_is_read_or_refused(text):
    if refused(lambda: SshAddress.parse(text)) is None:
        read = SshAddress.parse(text)
        assert read.user
        assert read.host
        assert 0 < read.port < 65536
