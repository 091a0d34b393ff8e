"""What can go wrong, sorted by whose fault it is.

::

    RigError
    ├── LabFault      the rig, a relay or the network broke      -> test error, board suspect
    │   ├── NoAnswer      a board is silent at a port that works -> test error, on the rescue ladder the board's
    │   ├── Unreachable   what a board hangs on does not answer  -> test error, says nothing about the board
    │   ├── RigInterference       the rig was late at the board          -> what it looked at says nothing: made anew
    │   └── Misdescribed  what a place says of itself is not so  -> test error, says nothing about the board
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


class NoAnswer(LabFault):
    """A board does not answer, at a port that does. Where a rung of the rescue ladder meets it, it is the board's."""


class Unreachable(LabFault):
    """A relay, an exporter or a server that a board hangs on does not answer. It says nothing about the board."""


class RigInterference(LabFault):
    """The rig was late, and may itself have changed what it was to look at: that is to be made anew."""


class Misdescribed(LabFault):
    """A place's tags or its environment do not say what is there. Only who describes the place can mend it.

    It says nothing about the board, and the same on another board would prove nothing.
    """


class DeviceFault(RigError):
    """The firmware under test broke.

    `after` says what was done to the board, `expected` and `seen` what it was to do and did: in a few words each.
    `at_ns` is the moment that it was seen (monotonic), where more was done to the board since.
    """

    exit_status = 1

    def __init__(
        self,
        message: str,
        *,
        board: str | None = None,
        phase: str | None = None,
        hint: str | None = None,
        after: str | None = None,
        expected: str | None = None,
        seen: str | None = None,
        at_ns: int | None = None,
    ):
        super().__init__(f"{after}, {message}" if after else message, board=board, phase=phase, hint=hint)
        self.after, self.expected, self.seen, self.at_ns = after, expected, seen, at_ns


class Misuse(RigError):
    """The caller broke a contract: a bad file, option, address or name."""

    exit_status = 2
