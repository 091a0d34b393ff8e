"""The control port of a twin of a Core: its supply, its buttons, its LED, and faults that its parts may have."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter

from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.twin.core import Core
from rig.families.spark_core.twin.radio import Eeprom
from rig.limits import refuse_more
from rig.twin.control import MOST_SHOWN, ControlServer, records, whole_number
from rig.twin.real_time import RealTime

#: What the files of the EEPROM hold of what can be named.
MOST_EEPROM = 2048
#: So often a cell fails that fails for ever.
MOST_TIMES = 1_000_000
_EEPROM = TypeAdapter(Eeprom)


class CoreControls:
    """Answers what the control port asks of `core`."""

    def __init__(self, core: Core, time: RealTime):
        self._core, self._time = core, time

    def server(self) -> ControlServer:
        """The control port."""
        return ControlServer(
            {
                "status": self._status,
                "led": self._led,
                **records(self._core, self._time),
                "power": self._power,
                "mode": self._mode,
                "reset": self._reset,
                "radio": self._radio,
                "wear": self._wear,
            }
        )

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        core = self._core
        core.catch_up(self._time.now())
        return {
            "power": core.powered,
            "usb": core.usb.identity if core.usb is not None else None,
            "running": core.running,
            "generation": core.generation,
            "led": core.led[-1][1] if core.powered and core.led else None,
            "mode": core.mode_held,
            "link": core.radio.link.value,
            "console": core.console.open,
            "flags16": core.memory.flags16().hex(),
            "dr": core.dr,
            "operations": core.operations,
            "app_digest": core.memory.internal.digest().hex(),
            "now": core.time,
        }

    def _led(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"led": [{"at": at, "colour": c, "toggle": t} for at, c, t in self._core.led[-MOST_SHOWN:]]}

    def _power(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["on"]:
            self._core.power_on(self._time.now())
        else:
            self._core.power_off(self._time.now())
        return {"power": self._core.powered}

    def _mode(self, request: dict[str, Any]) -> dict[str, Any]:
        self._core.press_mode(bool(request["pressed"]), self._time.now())
        return {"mode": self._core.mode_held}

    def _reset(self, request: dict[str, Any]) -> dict[str, Any]:
        for pressed in [request["pressed"]] if "pressed" in request else [True, False]:
            self._core.press_reset(bool(pressed), self._time.now())
        return {"reset": self._core.reset_held}

    def _radio(self, request: dict[str, Any]) -> dict[str, Any]:
        """Show the radio's EEPROM, after changing the fields that are named."""
        eeprom = self._core.radio.eeprom
        changes = {key: value for key, value in request.items() if key != "do"}
        known = {entry.name for entry in fields(Eeprom)}
        if unknown := set(changes) - known:
            raise KeyError(f"the EEPROM has no {sorted(unknown)[0]}")
        if len(json.dumps(changes)) > MOST_EEPROM:
            raise ValueError(f"the EEPROM holds {MOST_EEPROM} bytes")
        for key, value in changes.items():
            if type(value) is not type(getattr(eeprom, key)) and key != "mac":
                raise TypeError(f"{key} is not {value!r}")
        checked = _EEPROM.validate_python({**asdict(eeprom), **changes})
        for key in changes:
            setattr(eeprom, key, getattr(checked, key))
        if changes:
            self._core.radio.on_change()
        return eeprom.as_dict()

    def _wear(self, request: dict[str, Any]) -> dict[str, Any]:
        """Let a cell of the external flash fail to be written, `times` times."""
        address = whole_number(request, "address", range(layout.EXTERNAL_SIZE))
        times = whole_number(request, "times", range(MOST_TIMES + 1), default=1)
        worn_out = self._core.memory.worn_out
        if address not in worn_out:
            refuse_more(worn_out, "worn cells")
        worn_out[address] = times
        return {"worn_out": {f"{place:#x}": left for place, left in worn_out.items() if left}}
