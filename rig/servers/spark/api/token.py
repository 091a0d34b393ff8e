"""The one access token of a cloud's API: in a file that only its owner reads, and the same after a restart."""

from __future__ import annotations

import hmac
import re
import secrets
from pathlib import Path

from rig.errors import Misuse
from rig.files import MOST_PEM, is_there, read_given
from rig.trust.keys import write_private

#: As the Spark Cloud's look: 160 bits.
TOKEN_BYTES = 20
_TOKEN = re.compile(r"[0-9A-Za-z_-]{32,128}")


class AccessToken:
    """The token in `path`, made when it is not there. Raises Misuse for a file that is none, or others can read."""

    def __init__(self, path: Path):
        self.path = path
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
        write_private(self.path, f"{fresh}\n".encode())
        self._value = fresh
        return fresh

    def _read(self) -> str:
        if self.path.stat().st_mode & 0o077:
            raise Misuse(f"others can read the access token in {self.path}", hint=f"chmod 600 {self.path}")
        value = read_given(self.path, MOST_PEM).decode(errors="replace").strip()
        if not _TOKEN.fullmatch(value):
            raise Misuse(f"{self.path} holds no access token", hint="remove it, and one is made")
        return value
