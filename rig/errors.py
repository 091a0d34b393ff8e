"""What can go wrong, sorted by whose fault it is.

::

    RigError
    ├── LabFault      the rig, a relay or the network broke      -> test error, board suspect
    ├── DeviceFault   the firmware broke                         -> test failure
    └── Misuse        the caller broke a contract                -> exit status 2

Every error is one line for people: what happened, to which board, in which phase, and a hint. What it repeats of
others' words is data: nothing of it acts on a terminal.
"""

from rig import escape


class RigError(Exception):
    """Base of all errors the rig raises on purpose.

    `board` is a place or board name, `phase` a named stretch of an update path, `hint` what to try next.
    """

    #: Exit status of the `rig` command when this error ends it (design: "the `rig` command").
    exit_status = 3

    def __init__(self, message: str, *, board: str | None = None, phase: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.board = board
        self.phase = phase
        self.hint = hint

    def __str__(self) -> str:
        where = " in ".join(part for part in (self.board, self.phase) if part)
        text = f"{where}: {self.message}" if where else self.message
        return escape.one_line(f"{text} (hint: {self.hint})" if self.hint else text)


class LabFault(RigError):
    """The rig, a relay or the network broke; says nothing about the firmware."""

    exit_status = 3


class DeviceFault(RigError):
    """The firmware under test broke."""

    exit_status = 1


class Misuse(RigError):
    """The caller broke a contract: a bad file, option, address or name."""

    exit_status = 2
