"""What a test demands of an ESP32, which tells on its console what it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rig.boards.assertions import BoardAssertions, format_seconds
from rig.clock import poll
from rig.errors import Misuse

if TYPE_CHECKING:
    from rig.families.esp32.boards.board import Esp32
    from rig.firmware.manifest import Image


class ConsoleAssertions(BoardAssertions):
    """What a board may have to do that tells on its console what it does."""

    def __init__(self, board: Esp32):
        super().__init__(board)
        self._log = board.log

    def say(self, token: bytes | str, seconds: float) -> None:
        """`token`, a regular expression, comes on the console after the last start that we caused."""
        token, words = _pattern(token)
        if not self._log.wait_for(token, seconds):
            within = f"{words!r} within {format_seconds(seconds)}"
            raise self.unmet(f"board never said {within}", f"on its console, {within}", self._said())

    def not_say(self, token: bytes | str, seconds: float) -> None:
        """It does not, for the whole time."""
        token, words = _pattern(token)
        if self._log.wait_for(token, seconds):
            raise self.unmet(f"board said {words!r}", f"no {words!r} for {format_seconds(seconds)}", self._said())

    def run(self, image: Image, seconds: float) -> None:
        """The running application says the image's version."""
        log = self._log
        if not poll(lambda: log.version() == image.version, seconds=seconds, clock=self._board.clock):
            runs = f"version {log.version()} ran" if log.version() else "no application ran"
            within = f"within {format_seconds(seconds)}"
            raise self.unmet(f"{image.name} never ran {within}", f"{image.name} to run {within}", runs)

    def _said(self) -> str:
        return f"{len(self._log.said())} bytes on its console since its start"


def _pattern(token: bytes | str) -> tuple[bytes, str]:
    """A regular expression as it is looked for in a console's bytes, and as it is told. Raises Misuse for none."""
    pattern = token.encode() if isinstance(token, str) else token
    words = pattern.decode("utf-8", "replace")
    try:
        re.compile(pattern)
    except re.error as error:
        raise Misuse(f"{words!r} is no regular expression: {error}", hint="re.escape(TEXT) stands for TEXT") from None
    return pattern, words
