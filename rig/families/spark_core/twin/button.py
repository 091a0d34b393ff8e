"""MODE while an application runs: after 3 s it is to listen, after 10 s it forgets its networks (reference §5.1)."""

from __future__ import annotations

import math

LISTENS_AFTER_SECONDS, WIPES_AFTER_SECONDS = 3.0, 10.0


class RunningButton:
    """What holding MODE brings about, and when."""

    def __init__(self) -> None:
        self._listens_at = self._wipes_at = math.inf

    def press(self, held: bool, now: float) -> None:
        """It goes down or up at `now`."""
        self._listens_at = now + LISTENS_AFTER_SECONDS if held else math.inf
        self._wipes_at = now + WIPES_AFTER_SECONDS if held else math.inf

    def due(self) -> float:
        """When holding it next means something."""
        return min(self._listens_at, self._wipes_at)

    def fire(self) -> bool:
        """That moment has come: whether networks are forgotten; else the application is to listen."""
        if self._listens_at < math.inf:
            self._listens_at = math.inf
            return False
        self._wipes_at = math.inf
        return True
