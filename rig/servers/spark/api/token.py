"""The one access token of a cloud's API: in a file that only its owner reads, and the same after a restart.

One cloud at a time has such a file: it makes another token when somebody asks for it, and others would not know.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
import weakref
from pathlib import Path

from rig.errors import Misuse
from rig.files import MOST_PEM, is_there, read_given
from rig.trust.keys import write_private

#: As the Spark Cloud's look: 160 bits.
TOKEN_BYTES = 20
_TOKEN = re.compile(r"[0-9A-Za-z_-]{32,128}")


class AccessToken:
    """The token in `path`, made when it is not there; the file is this cloud's until it closes.

    Raises Misuse for a file that is none, that others can read, or that another cloud has.
    """

    def __init__(self, path: Path):
        self.path = path
        self._release: weakref.finalize[..., AccessToken] | None = None
        try:
            self._value = self._read() if is_there(path) else self.renew()
        except OSError as error:
            raise Misuse(f"cannot use the access token in {path}: {error.strerror}") from error

    @property
    def value(self) -> str:
        """The token, for whom it is given to."""
        return self._value

    def matches(self, said: str | None) -> bool:
        """Whether somebody knows it; takes as long for a good guess as for a bad one."""
        return said is not None and hmac.compare_digest(said.encode("utf-8", "replace"), self._value.encode())

    def renew(self) -> str:
        """Make another; who knows the former one is out. Raises OSError."""
        fresh = secrets.token_hex(TOKEN_BYTES)
        beside = self.path.with_name(f"{self.path.name}.new")
        write_private(beside, f"{fresh}\n".encode())
        self._hold(beside)
        beside.replace(self.path)
        self._value = fresh
        return fresh

    def close(self) -> None:
        """Let another cloud have the file."""
        if self._release is not None:
            self._release()

    def _hold(self, path: Path) -> None:
        """Have a file for this cloud alone, and no more the one before. Raises Misuse, OSError."""
        held = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            hint = "stop that one, or give this one a --server-key of its own"
            raise Misuse(f"another cloud has the access token in {self.path}", hint=hint) from None
        self.close()
        self._release = weakref.finalize(self, os.close, held)

    def _read(self) -> str:
        self._hold(self.path)
        if self.path.stat().st_mode & 0o077:
            raise Misuse(f"others can read the access token in {self.path}", hint=f"chmod 600 {self.path}")
        value = read_given(self.path, MOST_PEM).decode(errors="replace").strip()
        if not _TOKEN.fullmatch(value):
            raise Misuse(f"{self.path} holds no access token", hint="remove it, and one is made")
        return value
