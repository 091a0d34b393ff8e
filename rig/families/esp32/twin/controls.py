"""The control port of a twin of an ESP32: its supply, its buttons, and what only the model knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rig.families.esp32.twin.board import Esp32
from rig.twin.control import ControlServer, records
from rig.twin.real_time import RealTime


class Esp32Controls:
    """Answers what the control port asks of `board`."""

    def __init__(self, board: Esp32, time: RealTime, press: Callable[[str, bool], None], power: Callable[[bool], None]):
        self._board, self._time, self._press, self._feed = board, time, press, power

    def server(self) -> ControlServer:
        """The control port."""
        return ControlServer(
            {
                "status": self._status,
                **records(self._board, self._time),
                "power": self._power,
                "boot": self._boot,
                "reset": self._reset,
            }
        )

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        board = self._board
        board.catch_up(self._time.now())
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
