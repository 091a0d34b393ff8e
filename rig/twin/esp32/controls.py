"""The control port of a twin of an ESP32: its supply, its buttons, and what only the model knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rig.twin.control import ControlServer
from rig.twin.esp32.board import Esp32

_MOST_SHOWN = 1000


class Esp32Controls:
    """Answers what the control port asks of `board`; `now` is the model's time, `wake` is called after every look."""

    def __init__(
        self,
        board: Esp32,
        now: Callable[[], float],
        wake: Callable[[], None],
        press: Callable[[str, bool], None],
        power: Callable[[bool], None],
    ):
        self._board, self._now, self._wake, self._press, self._feed = board, now, wake, press, power

    def server(self) -> ControlServer:
        """The control port."""
        return ControlServer(
            {
                "status": self._status,
                "events": self._events,
                "journal": self._journal,
                "power": self._power,
                "boot": self._boot,
                "reset": self._reset,
            }
        )

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        board = self._board
        board.catch_up(self._now())
        self._wake()
        return {
            "power": board.powered,
            "running": board.running,
            "downloads": board.downloads,
            "reset_cause": board.reset_cause,
            "link": board.tcp.link.value,
            "operations": board.operations,
            "flash_digest": board.memory.flash.digest().hex(),
            "now": board.time,
        }

    def _events(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [{"at": event.at, "name": event.name} for event in self._board.events[-_MOST_SHOWN:]]}

    def _journal(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._board.catch_up(self._now())
        runs = self._board.memory.journal.runs[-_MOST_SHOWN:]
        keys = ("first", "kind", "address", "unit", "count")
        told = [{key: getattr(run, key) for key in keys} for run in runs]
        return {"operations": self._board.operations, "runs": told}

    def _power(self, request: dict[str, Any]) -> dict[str, Any]:
        self._feed(bool(request["on"]))
        return {"power": self._board.powered}

    def _boot(self, request: dict[str, Any]) -> dict[str, Any]:
        self._press("boot", bool(request["pressed"]))
        return {"boot": bool(request["pressed"])}

    def _reset(self, request: dict[str, Any]) -> dict[str, Any]:
        for pressed in [bool(request["pressed"])] if "pressed" in request else [True, False]:
            self._press("reset", pressed)
        return {"reset": self._board.in_reset}
