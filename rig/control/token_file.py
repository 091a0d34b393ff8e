"""A token in a file that only its owner reads: how it is made, read, and compared with what somebody shows."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path

from rig.errors import Misuse
from rig.files import open_user_file

#: 160 bits: nobody guesses one.
TOKEN_BYTES = 20
_TOKEN = re.compile(r"[0-9A-Za-z_-]{32,128}")


def make_token(path: Path) -> str:
    """A new token in a new file. Raises OSError."""
    fresh = secrets.token_hex(TOKEN_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{fresh}\n")
    return fresh


def read_token(path: Path) -> str:
    """The token in a file. Raises Misuse for a file that is none, or that others can read."""
    with open_user_file(path) as file:
        is_others = os.fstat(file.fileno()).st_mode & 0o077
        text = file.read(256).decode("ascii", "replace").strip()
    if is_others:
        raise Misuse(f"others can use the token file {path}", hint=f"chmod 600 {path}")
    if not _TOKEN.fullmatch(text):
        raise Misuse(f"{path} holds no token", hint="remove it, and a server that is started with it makes one")
    return text


def is_shown(token: str, said: object) -> bool:
    """Whether what somebody says is the token; takes as long for a good guess as for a bad one."""
    return isinstance(said, str) and hmac.compare_digest(said.encode("utf-8", "replace"), token.encode())
