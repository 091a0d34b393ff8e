"""Host keys that are taken: one that is pinned, or those of OpenSSH's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import paramiko  # type: ignore[import-untyped,unused-ignore]

from rig.errors import Misuse
from rig.files import MOST_TEXT, read_user_file
from rig.trust.remote.ssh_address import SshAddress

#: Where OpenSSH looks, for everybody and for one user.
USUAL = ("/etc/ssh/ssh_known_hosts", "~/.ssh/known_hosts")


def known_hosts(address: SshAddress) -> paramiko.HostKeys:
    """The host keys that may be met at an address: the pinned one alone, else those of a file, else of the usual ones.

    A key that a file marks as @revoked counts nowhere in it, and authorities (@cert-authority) are not taken; lines
    that cannot be read are passed over, as OpenSSH does. Raises Misuse for a file that is not there, or no key.
    """
    known = paramiko.HostKeys()
    if address.host_key is not None:
        entry = _entry(f"{address.known_as} {address.host_key.strip()}")
        if entry is None:
            raise Misuse(
                f"{address.host_key[:40]!r} is no host key", hint="as ssh-keyscan prints it: ssh-ed25519 AAAA…"
            )
        known.add(address.known_as, entry.key.get_name(), entry.key)
        return known
    for path in [address.known_hosts.expanduser()] if address.known_hosts is not None else _usual():
        for entry in _entries(path):
            for name in entry.hostnames:
                known.add(name, entry.key.get_name(), entry.key)
    return known


def _usual() -> list[Path]:
    return [path for path in (Path(name).expanduser() for name in USUAL) if path.is_file()]


def _entries(path: Path) -> Iterator[paramiko.hostkeys.HostKeyEntry]:
    try:
        text = read_user_file(path, MOST_TEXT).decode(errors="replace")
    except Misuse as error:
        message = error.message.replace("cannot read", "cannot read known hosts", 1)
        raise Misuse(message, hint="--known-hosts FILE") from error
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    revoked = {fields[3] for fields in lines if len(fields) > 3 and fields[0] == "@revoked"}
    for fields in lines:
        if len(fields) >= 3 and not fields[0].startswith("@") and fields[2] not in revoked:
            entry = _entry(" ".join(fields))
            if entry is not None:
                yield entry


def _entry(line: str) -> paramiko.hostkeys.HostKeyEntry | None:
    """A line of known_hosts; None for one that is none."""
    try:
        entry = paramiko.hostkeys.HostKeyEntry.from_line(line)
    except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError, LookupError):
        return None
    return entry if entry is not None and entry.key is not None else None
