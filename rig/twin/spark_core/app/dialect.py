"""What sets one firmware version apart from another, as far as anybody outside can tell (reference §6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rig.errors import Misuse

OLDEST = (0, 2, 0)


@dataclass(frozen=True, slots=True)
class Dialect:
    """A version of the system firmware, and what it does."""

    version: tuple[int, int, int]

    @classmethod
    def of(cls, text: str) -> Dialect:
        """The dialect of a version such as `0.2.1` or `0.3.4-rc.1`; older ones speak as 0.2.0. Raises Misuse."""
        match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
        if match is None:
            raise Misuse(f"{text!r} is no firmware version", hint="for example 0.2.1")
        major, minor, patch = (int(part or 0) for part in match.groups())
        return cls(max((major, minor, patch), OLDEST))

    @property
    def flags_size(self) -> int:
        """How many bytes of system flags it knows and saves."""
        return 8 if self.version < (0, 2, 1) else 10 if self.version < (0, 4, 0) else 18

    @property
    def repairs_writes(self) -> bool:
        """Reads a chunk back, and asks for the sector again when it is not what was sent."""
        return (0, 2, 1) <= self.version < (0, 4, 0)

    @property
    def mends_length(self) -> bool:
        """Puts the length of an answer right when user code has published an event in between."""
        return self.version >= (0, 2, 1)

    @property
    def pings(self) -> bool:
        """Has Network.ping()."""
        return self.version >= (0, 2, 1)

    @property
    def loses_lone_byte(self) -> bool:
        """Drops a frame's first byte when it comes alone."""
        return self.version < (0, 3, 0)

    @property
    def holds_events_back(self) -> bool:
        """Publishes nothing while an update is under way."""
        return self.version >= (0, 2, 2)

    @property
    def asks_time(self) -> bool:
        """Asks its server for the time."""
        return self.version >= (0, 2, 2)

    @property
    def subscribes(self) -> bool:
        """Asks for events."""
        return self.version >= (0, 3, 0)

    @property
    def resets_to_factory(self) -> bool:
        """Has System.factoryReset()."""
        return self.version >= (0, 3, 0)

    @property
    def tells_radio(self) -> bool:
        """Publishes its radio's service pack once it is online."""
        return self.version >= (0, 3, 0)

    @property
    def introduces_key(self) -> bool:
        """Sends its public key with its introduction, and its platform with its Hello."""
        return self.version >= (0, 4, 0)

    @property
    def reads_begin(self) -> bool:
        """Looks at what UpdateBegin says, takes fast updates, and never asks again for a lost chunk of a slow one."""
        return self.version >= (0, 4, 0)

    @property
    def describes_twice(self) -> bool:
        """Answers Describe a second time, under an id that is the first answer's ciphertext."""
        return self.version >= (0, 4, 0)

    @property
    def hangs_up(self) -> bool:
        """Closes the connection after a handshake that failed; others try again on it until the server closes it."""
        return self.version >= (0, 4, 0)
