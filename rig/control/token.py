"""What whoever asks a control port on TCP shows: a token, in a file that only its owner reads."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rig.control.address import TcpAddress, private_folder, runtime_folder
from rig.control.token_file import is_shown, make_token, read_token
from rig.files import writing
from rig.ports import is_loopback

#: Names the file with the token, for whoever asks a server of another machine or of another user.
VARIABLE = "RIG_TOKEN_FILE"
#: What a server that listens everywhere tells; to dial it is to dial this machine.
ANY_HOST = ("0.0.0.0", "::")
#: Of one port of these, one server has it.
USUAL_HOSTS = (*ANY_HOST, "127.0.0.1", "localhost")


class ControlToken:
    """The token that a server at `address` wants, in `path`: made where it is not there.

    Without a path it is made anew where `token_for` looks, and gone when the server ends. Raises Misuse.
    """

    def __init__(self, address: TcpAddress, path: Path | None = None):
        self._is_ours = path is None
        if path is None:
            path = private_folder(runtime_folder()) / _names(address)[0]
            path.unlink(missing_ok=True)
        self.path = path.absolute()
        with writing(path):
            self._value = read_token(path) if path.exists() else make_token(path)

    def matches(self, said: object) -> bool:
        """Whether somebody knows it."""
        return is_shown(self._value, said)

    def close(self) -> None:
        """The server has ended."""
        if self._is_ours:
            with contextlib.suppress(OSError):
                self.path.unlink()


def token_for(address: TcpAddress, path: Path | None = None) -> str | None:
    """The token to show at `address`: that in `path`, else in the file that RIG_TOKEN_FILE names.

    Else that of a server of this user's on this machine; None where there is none. Raises Misuse.
    """
    named = path or os.environ.get(VARIABLE)
    if named:
        return read_token(Path(named))
    if not is_loopback(address.host) and address.host not in ANY_HOST:
        return None
    made = [path for name in _names(address) if (path := runtime_folder() / name).exists()]
    return read_token(made[0]) if made else None


def _names(address: TcpAddress) -> list[str]:
    """Names of the file with the token of a server at an address; a server that listens everywhere has the last."""
    everywhere = f"{address.port}.token"
    if address.host in USUAL_HOSTS:
        return [everywhere]
    return [f"{address.host.replace(':', '-')}-{everywhere}", everywhere]
