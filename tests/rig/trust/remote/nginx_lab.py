"""A real nginx behind a real sshd on loopback, as the current user, in a folder of the test's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import paramiko
import pytest

from rig.clock import Clock
from rig.ports import free_port
from rig.trust.authority import Authority, make_root
from rig.trust.identity import Identity, pem
from rig.trust.remote.nginx import RemoteNginx, Step
from rig.trust.remote.plan import NginxPlan
from rig.trust.remote.ssh import SshSession
from rig.trust.remote.workers import Workers
from tests.rig.installed import installed, whole_path
from tests.rig.trust.tls_dial import tls_dial, tls_leaf
from tests.rig.waiting import HANGS, until

HOST, OTHER_HOST = "ota.rig.test", "ota9.rig.test"
#: A download of this size takes about three seconds.
SIZE, RATE = 600_000, 200_000


def private_key(path: Path) -> str:
    """A new key pair as OpenSSH writes it; returns the public line."""
    if not path.exists():
        command = [installed("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(command, check=True, capture_output=True)
    kind, body, *_ = Path(f"{path}.pub").read_text().split()
    return f"{kind} {body}"


class NginxLab:
    """nginx serves HOST and OTHER_HOST, each with files of its own; sshd lets the current user in by one key."""

    #: As whom a master of root's has its workers run.
    user = "root"

    def __init__(self, folder: Path):
        self.folder = folder
        self.nginx, self.sshd = whole_path("nginx"), whole_path("sshd")
        self.root = make_root("Lab Root")
        self.intermediate = self.root.intermediate("Lab Intermediate")
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(pem(self.root.certificate))
        self.web = folder / "web"
        self.first = {host: self.intermediate.issue(host) for host in (HOST, OTHER_HOST)}
        self._sshd = self._start_sshd()
        try:
            self._start()
            until(lambda: _answers(self.port), "nginx")
        except BaseException:
            self.close()
            raise
        self.steps: list[Step] = []

    # -- nginx ---------------------------------------------------------------------------------------------------------

    @property
    def called(self) -> list[str]:
        return [self.nginx, "-p", str(self.web), "-c", str(self.web / "nginx.conf")]

    def command(self, what: str) -> None:
        done = self._run(what)
        assert done.returncode == 0, done.stderr

    def _run(self, what: str) -> subprocess.CompletedProcess[str]:
        words = {"start": [], "stop": ["-s", "stop"], "reload": ["-s", "reload"]}[what]
        return subprocess.run([*self.called, *words], capture_output=True, text=True, timeout=HANGS)

    def _start(self) -> None:
        """On a free port; where somebody took it before nginx could, on another."""
        for _ in range(3):
            self.port = free_port("127.0.0.1")
            self._configure()
            done = self._run("start")
            if "Address already in use" not in done.stderr:
                break
        assert done.returncode == 0, done.stderr

    def workers(self) -> list[int]:
        """The processes that take connections."""
        master = int((self.web / "nginx.pid").read_text())
        with self.session() as session:
            return sorted(pid for pid, its in Workers(session, Clock()).taking().items() if its == master)

    def live(self, host: str = HOST) -> tuple[Path, Path]:
        """The files that the configuration names."""
        return self.web / f"{host}.pem", self.web / f"{host}.key"

    def _configure(self, extra: str = "") -> None:
        (self.web / "html").mkdir(parents=True, exist_ok=True)
        (self.web / "html" / "fw.bin").write_bytes(os.urandom(SIZE))
        (self.web / "html" / "small").write_bytes(b"small")
        for host, identity in self.first.items():
            identity.store(*self.live(host))
        self.configure()

    def configure(self, extra: str = "") -> None:
        """Write the configuration; `extra` is for the servers."""
        user = f"user {self.user};" if os.getuid() == 0 else ""
        buffers = "\n".join(
            f"    {name}_temp_path {self.web}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        servers = "\n".join(
            f"""    server {{
        listen 127.0.0.1:{self.port} ssl;
        server_name {host};
        ssl_certificate {self.live(host)[0]};
        ssl_certificate_key {self.live(host)[1]};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:{host.replace(".", "_")}:1m;
        root {self.web}/html;
        location = /fw.bin {{ limit_rate {RATE}; }}
        {extra}
    }}"""
            for host in self.first
        )
        (self.web / "nginx.conf").write_text(f"""{user}
worker_processes 2;
pid {self.web}/nginx.pid;
error_log {self.web}/error.log info;
events {{}}
http {{
    log_format shown '$ssl_server_name $ssl_protocol $ssl_session_reused $status';
    access_log {self.web}/access.log shown;
{buffers}
{servers}
}}
""")

    # -- sshd ----------------------------------------------------------------------------------------------------------

    def _start_sshd(self) -> subprocess.Popen[bytes]:
        folder = self.folder / "ssh"
        folder.mkdir()
        self.host_key, self.user_key = folder / "host", folder / "user"
        self.host_line, user_line = private_key(self.host_key), private_key(self.user_key)
        (folder / "authorized_keys").write_text(user_line + "\n")
        self.known_hosts = folder / "known_hosts"
        self.ssh_port = free_port("127.0.0.1")
        self.known_hosts.write_text(f"[127.0.0.1]:{self.ssh_port} {self.host_line}\n")
        return self.start_sshd()

    def start_sshd(self) -> subprocess.Popen[bytes]:
        folder = self.folder / "ssh"
        (folder / "sshd_config").write_text(f"""Port {self.ssh_port}
ListenAddress 127.0.0.1
HostKey {self.host_key}
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
SetEnv HOME={folder}
""")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # as its service does; sshd of root does not start without
        command = [self.sshd, "-D", "-e", "-f", str(folder / "sshd_config")]
        self._log = (folder / "sshd.log").open("wb")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        until(lambda: _answers(self.ssh_port), "sshd")
        return process

    def restart_sshd(self, host_key: Path) -> None:
        """sshd again, with another host key."""
        self.stop_sshd()
        self.host_key = host_key
        private_key(host_key)
        self._sshd = self.start_sshd()

    def stop_sshd(self) -> None:
        self._sshd.terminate()
        self._sshd.wait(HANGS)
        self._log.close()

    # -- what tests do -------------------------------------------------------------------------------------------------

    def plan(self, host: str = HOST, **changes: object) -> NginxPlan:
        chain, key = self.live(host)
        fields: dict[str, object] = {
            "ssh": f"{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1:{self.ssh_port}",
            "names": [host],
            "live_chain": str(chain),
            "live_key": str(key),
            "addresses": [f"127.0.0.1:{self.port}"],
            "identity_files": [self.user_key],
            "known_hosts": self.known_hosts,
            "nginx": self.called,
            "roots": self.ca,
            "seconds": 5,
        }
        return NginxPlan.model_validate({**fields, **changes})

    @contextmanager
    def session(self) -> Iterator[SshSession]:
        with SshSession.connect(self.plan().address) as session:
            yield session

    @contextmanager
    def remote(self, host: str = HOST, **changes: object) -> Iterator[RemoteNginx]:
        """A remote nginx over SSH; its steps are kept in `steps`."""
        plan = self.plan(host, **changes)
        with SshSession.connect(plan.address) as session:
            yield RemoteNginx(session, plan, on_step=self.steps.append)

    def issue(self, host: str = HOST, *, authority: Authority | None = None, **how: object) -> Identity:
        return (authority or self.root.intermediate("Another Intermediate")).issue(host, **how)

    def store(self, identity: Identity, name: str = "new") -> tuple[Path, Path]:
        """An identity as files, for a command line."""
        chain, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        identity.store(chain, key)
        return chain, key

    def releases(self, host: str = HOST) -> Path:
        return Path(f"{self.live(host)[0]}.releases")

    def dial(self, host: str = HOST, *, session: ssl.SSLSession | None = None, context: ssl.SSLContext | None = None):
        context = context or ssl.create_default_context(cafile=str(self.ca))
        return tls_dial(self.port, host, context, session)

    def leaf(self, host: str = HOST) -> bytes:
        """What one handshake shows, DER, whoever it leads to."""
        return tls_leaf(self.port, host)

    def close(self) -> None:
        pid = self.web / "nginx.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)  # by -s stop it would read its configuration first
            until(lambda: not pid.exists(), "nginx to end")
        self.stop_sshd()


class NobodysNginxLab(NginxLab):
    """The same with an nginx of nobody's, who reads the keys by their group; who logs in to swap them is root."""

    user = "nobody nogroup"

    @property
    def called(self) -> list[str]:
        return [installed("runuser"), "-u", "nobody", "--", *super().called]

    @property
    def called_by_root(self) -> list[str]:
        return super().called

    def _configure(self, extra: str = "") -> None:
        super()._configure(extra)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.web, nobody.pw_uid, nobody.pw_gid)
        for host in self.first:
            _chain, key = self.live(host)
            os.chown(key, 0, nobody.pw_gid)
            key.chmod(0o640)


@contextmanager
def nobodys_nginx_lab() -> Iterator[NobodysNginxLab]:
    """In a folder where nobody gets to, since that of a test is its owner's alone."""
    if os.getuid() != 0:
        pytest.skip("only root can start an nginx of nobody's")
    with tempfile.TemporaryDirectory(prefix="nobodys-nginx-") as folder:
        Path(folder).chmod(0o711)
        with closing(NobodysNginxLab(Path(folder))) as lab:
            yield lab


def nginx_lab(folder: Path) -> closing[NginxLab]:
    """One that ends with the block."""
    return closing(NginxLab(folder))


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def known_key(line: str) -> paramiko.PKey:
    return paramiko.hostkeys.HostKeyEntry.from_line(f"x {line}").key
