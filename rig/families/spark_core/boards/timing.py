"""How long things take on a place's boards, and so how long to wait for them.

Numbers are of a Core at full speed (from its datasheets and firmware); a place whose boards run faster says so in its
tag `timing_scale`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rig.boards.timing import MARGIN_SECONDS, number_of
from rig.errors import Misuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags

#: How long a Core waits for its server in a handshake.
HANDSHAKE_SECONDS = 20.0
#: Wi-Fi join and DHCP at the longest, with the connection to the cloud.
JOIN_SECONDS = 18.0
#: From reset until the bootloader looks at its flags, and from when on MODE means a factory reset.
BOOT_SECONDS, FACTORY_SECONDS = 0.02, 10.0
#: One save of the flags.
SAVE_SECONDS = layout.PAGE_ERASE + SystemFlags.SIZE // 2 * layout.HALF_WORD


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing profile of one place; all properties are in seconds."""

    scale: float = 1.0
    relay_seconds: float = 0.0
    #: Since when MODE may mean a factory reset: generation C takes it sooner, and so may one that nobody knows.
    factory_after: float = 6.5
    #: From the application's start until it is online, where it shows itself in the cloud only.
    joins: float = 0.0
    #: How often flags are saved between an application's last word and the bootloader's copy.
    saves_before_copy: int = 1
    #: How often after the start-up that follows a session of DFU, before anything else is done.
    saves_at_start: int = 0
    #: Whether the copy of a factory reset waits until MODE is let go.
    copies_once_released: bool = False

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Timing:
        """Read the profile from a place's tags; a scale of 0 leaves timers as they are. Raises Misdescribed."""
        generation = tags.get("generation", "")
        factory_after = FACTORY_SECONDS if generation in ("a2013", "a", "b") else 6.5
        scale, relay_ms = number_of(tags, "timing_scale", "1") or 1.0, number_of(tags, "relay_ms", "0")
        joins = JOIN_SECONDS if tags.get("wifi") == "joined" else 0.0
        if not generation.startswith("c"):
            return cls(scale, relay_ms / 1000, factory_after, joins)
        # C saves the reset's cause and that it has seen the start-up mode, each by itself (Appendix E).
        return cls(scale, relay_ms / 1000, factory_after, joins, 3, 1, True)

    @property
    def mode_hold(self) -> float:
        """How long to hold MODE from power-on: between 3 s (DFU) and 10 s (factory reset)."""
        return 4.0 * self.scale

    @property
    def mode_held_too_long(self) -> float:
        """From here on MODE may have meant a factory reset."""
        return (self.factory_after - 0.5) * self.scale

    @property
    def mode_untouched(self) -> float:
        """Up to here a board at which MODE is held has changed nothing: generation C does when its 12 s are over."""
        return 11.5 * self.scale if self.copies_once_released else self.mode_held_too_long

    @property
    def factory_hold(self) -> float:
        """How long to hold MODE from power-on for a factory reset: more than the 10.15 s that generation C counts."""
        return 11.0 * self.scale

    @property
    def before_copy(self) -> float:
        """From an application's last word (UpdateDone, a factory reset) to the bootloader's copy, start-up left out."""
        return self.saves_before_copy * SAVE_SECONDS

    @property
    def factory_copy(self) -> float:
        """From power-on to what a factory reset by MODE does to flash, start-up left out; at full speed."""
        return self.factory_hold / self.scale - BOOT_SECONDS if self.copies_once_released else FACTORY_SECONDS

    def copy_moment(self, phase: str, share: float, *, after: float, backs_up: bool, marks: int) -> float:
        """When `share` of `phase` is done in a copy by the bootloader that begins `after` seconds from power-on.

        `backs_up` and `marks` say whether a backup is taken and how often the flags are saved before the erase.
        """
        begin = after + BOOT_SECONDS
        for name, seconds in (
            ("backup", (32 * layout.SECTOR_ERASE + layout.APP_SIZE // 2 * layout.PAIR) * backs_up),
            ("mark", layout.PAGE_ERASE * marks),
            ("erase", layout.APP_PAGES * layout.PAGE_ERASE),
            ("program", layout.APP_SIZE // 2 * layout.HALF_WORD),
            ("commit", layout.PAGE_ERASE),
        ):
            if name == phase:
                return (begin + share * seconds) * self.scale
            begin += seconds
        raise Misuse(f"a copy has no phase {phase!r}", hint="backup, mark, erase, program or commit")

    @property
    def factory_reset(self) -> float:
        """From letting go of MODE until the factory image runs, with the backup that generation A takes first."""
        return (14.0 + self.joins) * self.scale + MARGIN_SECONDS

    @property
    def ota_copy(self) -> float:
        """From power-on until an image that waited in its slot runs: backup, restore, and a start."""
        return (12.0 + self.joins) * self.scale + MARGIN_SECONDS

    @property
    def listening_hold(self) -> float:
        """How long at the most to hold MODE while an application runs: 3 s make it listen, 10 s forget its networks."""
        return 6.0

    @property
    def listens(self) -> float:
        """From letting go of MODE until it listens: a handshake that hangs blocks it for 20 s (§6.2)."""
        return HANDSHAKE_SECONDS + 2.0 * self.scale + MARGIN_SECONDS

    @property
    def reset_pulse(self) -> float:
        """How long to press RST: 100 nF at 10 kOhm, and a relay that bounces."""
        return 0.1 * self.scale

    @property
    def watchdog(self) -> float:
        """The longest a watchdog takes to bite: LSI at 30 kHz."""
        return 6.7 * self.scale

    @property
    def watchdog_soonest(self) -> float:
        """The shortest a watchdog takes to bite: LSI at 60 kHz."""
        return 3.3 * self.scale

    @property
    def start(self) -> float:
        """From power-on to listening mode, or to DFU, at the longest."""
        return (2.0 + self.joins) * self.scale + MARGIN_SECONDS

    @property
    def by_itself(self) -> float:
        """From power-on until an application that nothing is wrong with shows itself: a rollback takes longer."""
        return (2.0 + self.joins) * self.scale + 1.0

    @property
    def self_healing(self) -> float:
        """Three watchdog resets of at most 6.7 s, a rollback of 8 s and a start."""
        return 3 * self.watchdog + (10 + self.joins) * self.scale + MARGIN_SECONDS

    @property
    def off(self) -> float:
        """Until a board whose supply was cut is gone from USB."""
        return self.relay_seconds + MARGIN_SECONDS
