"""Whether a failure is a bug in the test, and in which of its lines: it says nothing of a board, nor of a lab."""

from __future__ import annotations

import http.client
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rig import escape
from rig.errors import RigError

#: What a line raises without being wrong: a verdict, and what connections and processes of a lab come to.
NO_BUGS = (
    *(AssertionError, RigError, OSError, EOFError, http.client.HTTPException),
    *(subprocess.SubprocessError, pytest.fail.Exception),
)
#: Of these errors those that name a file, and no device or program, are a wrong line all the same.
OF_FILES = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
DEVICES = ("/dev/", "/proc/", "/run/", "/sys/")
#: What boards and labs are reached through: whatever goes wrong inside of these may be the lab's.
REACHES = frozenset({
    *("rig", "labgrid", "pymodbus", "grpc", "serial", "usb", "esptool", "aiohttp", "pexpect", "subprocess"),
})  # fmt: skip


def bug_of_test(item: pytest.Item, call: pytest.CallInfo[None]) -> str | None:
    """`my_test.py:20: AttributeError: …`: the line of the test's own file, or of one beside it, that is wrong.

    Whatever that line called raised it, but for what labs are reached through. None for what is no bug of the test's.
    """
    if call.excinfo is None:
        return None
    error, frames = call.excinfo.value, list(call.excinfo.traceback)
    if (said := _said_by_pytest(error, frames)) is not None:
        return f"{item.path.name}:{(item.location[1] or 0) + 1}: {said}"
    own = next((at for at in reversed(range(len(frames))) if Path(frames[at].path).parent == item.path.parent), None)
    if (
        own is None
        or any(_module(frame).partition(".")[0] in REACHES for frame in frames[own + 1 :])
        or not _is_bug(error)
    ):
        return None
    said = escape.one_line(str(error))
    where = f"{Path(frames[own].path).name}:{frames[own].lineno + 1}"
    return f"{where}: {type(error).__name__}" + (f": {said}" if said else "")


def _said_by_pytest(error: BaseException, frames: list[Any]) -> str | None:
    """What pytest itself finds wrong with the fixtures that a test asks for."""
    if isinstance(error, pytest.FixtureLookupError):
        return f"there is no fixture {error.argname!r}"
    if isinstance(error, pytest.fail.Exception) and "_pytest.fixtures" in map(_module, frames[-2:-1]):
        return escape.one_line(str(error).partition("\n")[0])
    return None


def _module(frame: Any) -> str:
    """The module whose code this is."""
    return str(frame.frame.f_globals.get("__name__", ""))


def _is_bug(error: BaseException) -> bool:
    """Whether nothing but wrong code raises this; a library may raise an error of its own from one of a connection."""
    if isinstance(error, OF_FILES) and isinstance(error.filename, str):
        return not error.filename.startswith(DEVICES)
    return isinstance(error, Exception) and not any(isinstance(each, NO_BUGS) for each in _causes(error))


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error, what it was raised from, and so on; not more than once round a circle."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__
    return found
