"""A session on a server over SSH: commands and files, with a host key that is checked, always.

Passwords are not taken: keys come from an agent or from key files. What is done on a server is not here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import posixpath
import shlex
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import paramiko  # type: ignore[import-untyped,unused-ignore]

from rig.errors import LabFault, Misuse
from rig.trust.remote.known_hosts import known_hosts
from rig.trust.remote.session import COMMAND_SECONDS, Done, Kind, Rights
from rig.trust.remote.ssh_address import SshAddress

#: For each step of a connection.
CONNECT_SECONDS = 15.0
#: How long the output of a command that has ended may still take to come.
REST_SECONDS = 1.0
MOST_OUTPUT = 1 << 20


class _Refusing(paramiko.MissingHostKeyPolicy):  # type: ignore[misc,unused-ignore]
    """Nobody is trusted at first sight."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raises Misuse."""
        raise Misuse(
            f"the host key of {hostname} is not known: it shows {key.get_name()} {key_fingerprint(key)}",
            hint="compare that with the server's own (ssh-keygen -lf), then add it to known_hosts",
        )


class SshSession:
    """A Session over SSH. `connect` makes one; close it, or use it in a `with`."""

    def __init__(self, client: paramiko.SSHClient, address: SshAddress):
        self._client, self._address = client, address
        self._files = client.open_sftp()
        channel = self._files.get_channel()
        if channel is not None:
            channel.settimeout(COMMAND_SECONDS)

    @classmethod
    def connect(cls, address: SshAddress) -> SshSession:
        """Log in. Raises Misuse for an unknown host key or no key of ours that is taken, LabFault for the rest."""
        client = paramiko.SSHClient()
        client.get_host_keys().update(known_hosts(address))
        client.set_missing_host_key_policy(_Refusing())
        try:
            sock = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each command waits for an acknowledgement
            client.connect(
                address.host,
                address.port,
                address.user,
                sock=sock,
                key_filename=[str(path.expanduser()) for path in address.identity_files] or None,
                look_for_keys=not address.identity_files,
                timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                auth_timeout=CONNECT_SECONDS,
                channel_timeout=CONNECT_SECONDS,
            )
            return cls(client, address)
        except (paramiko.SSHException, OSError, EOFError, Misuse) as error:
            client.close()
            if isinstance(error, Misuse):
                raise
            raise _not_connected(error, address) from error

    def __enter__(self) -> SshSession:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Log out."""
        self._client.close()

    # -- commands ------------------------------------------------------------------------------------------------------

    def run(self, argv: Sequence[str], *, seconds: float = COMMAND_SECONDS) -> Done:
        """Run a command, each argument exactly as it is given. Raises LabFault when it does not end in time."""
        channel = self._begin(argv)
        with contextlib.closing(channel):
            channel.shutdown_write()
            if not channel.status_event.wait(seconds):
                raise self._fault(f"{argv[0]} did not end within {seconds:.0f} s")
            status = channel.recv_exit_status()
            if status < 0:
                raise self._fault(f"{argv[0]} was ended, or the connection was")
            return Done(status, _rest(channel.recv, channel), _rest(channel.recv_stderr, channel))

    @contextmanager
    def held(self, argv: Sequence[str]) -> Iterator[bool]:
        """Keep a command running that prints a line once it has what it wants; false when it ended without."""
        channel = self._begin(argv)
        with contextlib.closing(channel):
            try:
                said = channel.recv(1)
            except TimeoutError:
                raise self._fault(f"{argv[0]} did not say a word within {COMMAND_SECONDS:.0f} s") from None
            try:
                yield bool(said)
            finally:
                with contextlib.suppress(paramiko.SSHException, OSError, EOFError):  # the line may be dead
                    channel.shutdown_write()
                    channel.status_event.wait(COMMAND_SECONDS)

    def _begin(self, argv: Sequence[str]) -> paramiko.Channel:
        transport = self._client.get_transport()
        if transport is None:
            raise self._fault("the connection is closed")
        try:
            channel = transport.open_session(timeout=CONNECT_SECONDS)
            channel.settimeout(COMMAND_SECONDS)
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._fault(f"cannot run {argv[0]}: {error or type(error).__name__}") from error
        return channel

    # -- files ---------------------------------------------------------------------------------------------------------

    def kind(self, path: str) -> Kind | None:
        """What is there itself (a link is not followed); None for nothing."""
        with self._doing("look at", path):
            try:
                mode = self._files.lstat(path).st_mode or 0
            except FileNotFoundError:
                return None
        kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
        return kinds.get(stat.S_IFMT(mode), "other")

    def rights(self, path: str) -> Rights:
        """Whose it is, and who may do what; a link is followed."""
        with self._doing("look at", path):
            seen = self._files.stat(path)
        return Rights(seen.st_uid or 0, seen.st_gid or 0, stat.S_IMODE(seen.st_mode or 0))

    def give(self, path: str, rights: Rights) -> None:
        """Let it have these, and nobody any of it before its owner is the one that is told."""
        with self._doing(f"give to {rights}", path):
            self._files.chown(path, rights.user, rights.group)
            self._files.chmod(path, rights.mode)

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted."""
        with self._doing("list", folder):
            return sorted(self._files.listdir(folder))

    def read(self, path: str) -> bytes:
        """A file's content."""
        with self._doing("read", path), self._files.open(path, "rb") as file:
            return bytes(file.read(MOST_OUTPUT))

    def put(self, path: str, content: bytes, mode: int) -> None:
        """A new file that nobody else may read before its mode allows it; fails when there is one.

        The server makes it by its own umask, so it is empty until its mode is set; in a folder of 0700 that is no gap.
        """
        with self._doing("write", path):
            with self._files.open(path, "wbx") as file:
                file.chmod(mode)
                file.write(content)
            if self._files.stat(path).st_size != len(content):
                raise self._fault(f"{path} is not whole: is the disk full?")

    def make_folder(self, path: str, mode: int) -> None:
        """A new folder; fails when there is one."""
        with self._doing("make", path):
            self._files.mkdir(path, 0o700)
            self._files.chmod(path, mode)  # whatever the umask is there

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, in one step in place of whatever link or file was there."""
        beside = f"{path}.rig-new"
        self.remove(beside)
        with self._doing("link", beside):
            self._files.symlink(target, beside)
        self.rename(beside, path)

    def target(self, path: str) -> str:
        """Where a symbolic link points."""
        with self._doing("read", path):
            return self._files.readlink(path) or ""

    def rename(self, old: str, new: str) -> None:
        """Rename in one step, in place of whatever file was there."""
        with self._doing("rename", old):
            self._files.posix_rename(old, new)

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole folder; nothing happens when there is none."""
        kind = self.kind(path)
        if kind != "folder":
            if kind is not None:
                with self._doing("remove", path):
                    self._files.remove(path)
            return
        done = self.run(["rm", "-rf", "--", path])
        if done.status:
            raise self._fault(f"cannot remove {path}: {done.last_line}")

    @contextmanager
    def _doing(self, what: str, path: str) -> Iterator[None]:
        try:
            yield
        except (paramiko.SSHException, OSError, EOFError) as error:
            reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
            if reason == "failure":  # all that SFTP has to say of a full disk, among others
                reason = self._room(posixpath.dirname(path)) or "the server says no more than failure"
            raise self._fault(f"cannot {what} {path}: {reason}") from error

    def _room(self, folder: str) -> str | None:
        """That a folder's disk is full, and which one that is; None when it is not, or nobody knows."""
        with contextlib.suppress(LabFault):
            *_, last = self.run(["df", "-Pk", "--", folder]).out.splitlines() or [""]
            _disk, *_sizes, left, _percent, where = last.split(maxsplit=5) if last.count(" ") > 4 else [""] * 6
            if left == "0":
                return f"the disk is full: nothing is left at {where}"
        return None

    def _fault(self, message: str) -> LabFault:
        return LabFault(f"{self._address}: {message}")


def key_fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` prints it: SHA256 and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _not_connected(error: Exception, address: SshAddress) -> Misuse | LabFault:
    """Why nobody was let in, and whose fault that is."""
    if isinstance(error, paramiko.BadHostKeyException):
        shown, known = key_fingerprint(error.key), key_fingerprint(error.expected_key)
        return LabFault(
            f"the host key of {address.known_as} has changed: it shows {shown}, known is {known}",
            hint="somebody may stand in between; if it was reinstalled, ssh-keygen -R takes the old one out",
        )
    if isinstance(error, paramiko.PasswordRequiredException):
        return Misuse(f"a key for {address} needs a passphrase", hint="ssh-add it to an agent")
    if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
        return Misuse(f"{address} takes none of our keys", hint="--identity-file, or ssh-add one to an agent")
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        return Misuse(f"cannot read {error.filename}: {error.strerror}", hint="--identity-file names a private key")
    text = " ".join(str(error).split()) or type(error).__name__
    return LabFault(f"cannot log in to {address}: {text}", hint="does `ssh` get in?")


def _rest(receive: object, channel: paramiko.Channel) -> str:
    """What an ended command printed, as far as it comes soon: who holds its output open is not waited for."""
    assert callable(receive)
    channel.settimeout(REST_SECONDS)
    content, ends = b"", time.monotonic() + REST_SECONDS
    with contextlib.suppress(TimeoutError):
        while (more := receive(65536)) and len(content) < MOST_OUTPUT and time.monotonic() < ends:
            content += more
    return content.decode(errors="replace")
