"""What sets one firmware version apart from another, as far as anybody outside can tell (reference §6, Appendix F).

Read at the tags of core-communication-lib and core-firmware spark_3 (0.2.0), 4 (0.2.1), 5 (0.2.2), 7 (0.3.0), 9 (0.3.2)
and 11 (0.3.4), and of device-os v0.4.0, v0.4.4 and v0.4.9. Of 0.4.9 and later only what is named here is modelled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rig.errors import Misuse

OLDEST = (0, 2, 0)
#: What speaks that tells no version.
UNTOLD = (0, 2, 1)


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

    @classmethod
    def of_image(cls, version: str) -> Dialect:
        """The dialect of an image: one whose version is its maker's own, such as `build-7`, speaks as 0.2.1."""
        try:
            return cls.of(version)
        except Misuse:
            return cls(UNTOLD)

    @property
    def flags_size(self) -> int:
        """How many bytes of system flags it knows and saves."""
        return 8 if self.version < (0, 2, 1) else 10 if self.version < (0, 4, 0) else 18

    # -- updates -----------------------------------------------------------------------------------------------------

    @property
    def repairs_writes(self) -> bool:
        """Reads a chunk back, and asks for the sector again when it is not what was sent."""
        return (0, 2, 1) <= self.version < (0, 4, 0)

    @property
    def indexes_chunks(self) -> bool:
        """Looks at what UpdateBegin says, and takes fast updates."""
        return self.version >= (0, 4, 0)

    @property
    def asks_for_slow_chunks(self) -> bool:
        """Asks again for the chunk of a slow update that does not come."""
        return self.version < (0, 4, 4)

    @property
    def announces_done(self) -> bool:
        """Says that a fast update is whole before it resets; 0.4.0 to 0.4.7 are reset by the step before."""
        return self.version >= (0, 4, 8)

    @property
    def refusal(self) -> int:
        """The code it refuses with; up to 0.4.7 an expression for 4.00 whose value is 1."""
        return 0x80 if self.version >= (0, 4, 8) else 0x01

    # -- requests ----------------------------------------------------------------------------------------------------

    @property
    def mends_length(self) -> bool:
        """Writes the length of a function's result anew when user code has published an event in between."""
        return self.version >= (0, 2, 1)

    @property
    def calls_anyway(self) -> bool:
        """Calls a function whose argument is too long all the same, with the argument before; older ones hang up."""
        return self.version >= (0, 4, 0)

    @property
    def describes_twice(self) -> bool:
        """Answers Describe a second time, under an id that is the first answer's ciphertext."""
        return self.version >= (0, 4, 4)

    @property
    def describes_system(self) -> bool:
        """Tells its platform and modules, and grows its lists of functions and variables as needed."""
        return self.version >= (0, 4, 0)

    @property
    def pings(self) -> bool:
        """Has Network.ping()."""
        return self.version >= (0, 2, 1)

    @property
    def resets_to_factory(self) -> bool:
        """Has System.factoryReset()."""
        return self.version >= (0, 3, 0)

    # -- events and time ---------------------------------------------------------------------------------------------

    @property
    def holds_events_back(self) -> bool:
        """Publishes nothing while an update is under way."""
        return self.version >= (0, 2, 2)

    @property
    def longest_data(self) -> int:
        """How many bytes of an event's data it sends."""
        return 63 if self.version < (0, 4, 2) else 255

    @property
    def spares_system_events(self) -> bool:
        """Does not count events named `spark…` for the rate of events."""
        return self.version >= (0, 4, 0)

    @property
    def asks_time(self) -> bool:
        """Asks its server for the time, and takes what any message of code 2.05 says for it."""
        return self.version >= (0, 2, 2)

    @property
    def subscribes(self) -> bool:
        """Asks for events."""
        return self.version >= (0, 2, 2)

    @property
    def remembers_subscriptions(self) -> bool:
        """Subscribes anew on each connection, and always to `spark`; older ones once, when user code begins."""
        return self.version >= (0, 4, 0)

    @property
    def tells_radio(self) -> bool:
        """Publishes its radio's service pack once it is online."""
        return self.version >= (0, 3, 0)

    # -- connections -------------------------------------------------------------------------------------------------

    @property
    def introduces_key(self) -> bool:
        """Sends its public key with its introduction, and its platform with its Hello."""
        return self.version >= (0, 4, 0)

    @property
    def hangs_up(self) -> bool:
        """Closes the connection after a handshake that failed.

        Others go on as if it had not: they announce themselves, say what follows a Hello with the keys they have, and
        shake hands again on the same connection.
        """
        return self.version >= (0, 4, 0)

    @property
    def presences(self) -> int:
        """How often it announces itself by multicast."""
        return 3 if self.version < (0, 3, 2) else 1

    def backs_off(self, failures: int) -> float:
        """Seconds from a failure until the next attempt, after so many failures in a row."""
        if not failures or self.version < (0, 4, 0):
            return 0.0
        if self.version < (0, 4, 4):
            return 0.5 * ((1 << min(9, failures)) - 1)
        return float(1 << min(7, (failures - 1) // 5))
