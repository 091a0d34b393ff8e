"""The one access token of a cloud's API: in a file that only its owner reads, and the same after a restart.

One cloud at a time has such a file: it makes another token when somebody asks for it, and others would not know.
"""

from __future__ import annotations

from pathlib import Path

from rig.control.token_file import is_shown, make_token, read_token
from rig.errors import Misuse
from rig.files import is_there, unwritable, writing
from rig.lock_file import lock_beside


class AccessToken:
    """The token in `path`, made when it is not there; the file is this cloud's until it closes.

    Raises Misuse for a file that is none, that others can read, or that another cloud has, and LabFault.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._lock = lock_beside(path)
        except BlockingIOError:
            hint = "stop that one, or give this one a --server-key of its own"
            raise Misuse(f"another cloud has the access token in {path}", hint=hint) from None
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            with writing(path):
                self._value = read_token(path) if is_there(path) else self.renew()
        except BaseException:
            self.close()
            raise

    @property
    def value(self) -> str:
        """The token, for whom it is given to."""
        return self._value

    def matches(self, said: str | None) -> bool:
        """Whether somebody knows it."""
        return is_shown(self._value, said)

    def renew(self) -> str:
        """Make another; who knows the former one is out. Raises OSError."""
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.unlink(missing_ok=True)
        fresh = make_token(beside)
        beside.replace(self.path)
        self._value = fresh
        return fresh

    def close(self) -> None:
        """Let another cloud have the file."""
        self._lock.close()
