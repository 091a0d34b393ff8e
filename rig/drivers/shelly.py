"""Power by a Shelly relay of the second generation that asks for a password, which labgrid's own backend does not send.

The calls are those of labgrid's `shelly_gen2`, with HTTP digest authentication (SHA-256).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attr
import requests
from labgrid import target_factory
from labgrid.driver import NetworkPowerDriver
from requests.auth import HTTPDigestAuth

from rig.drivers.place import place_name
from rig.errors import LabFault
from rig.files import read_secret

#: The one user such a relay knows.
USER = "admin"
TIMEOUT_SECONDS = 5.0


class Gen2Backend:
    """What NetworkPowerDriver asks of a backend; the password is `password`, or stands in the host's URL."""

    def __init__(self, password: str | None, board: str):
        self._password = password
        self._board = board

    def power_set(self, host: str, _port: int | None, index: int, value: bool) -> None:
        """Close or open contact `index`. Raises LabFault."""
        self._call(host, "Switch.Set", {"id": int(index), "on": value})

    def power_get(self, host: str, _port: int | None, index: int) -> bool:
        """Whether contact `index` is closed. Raises LabFault."""
        return bool(self._call(host, "Switch.GetStatus", {"id": int(index)})["output"])

    def _call(self, host: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
        url = urlsplit(host)
        where = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        password = self._password or unquote(url.password or "")
        call: dict[str, Any] = {"id": 1, "method": method, "params": params}
        auth = HTTPDigestAuth(unquote(url.username or USER), password) if password else None
        try:
            answer = requests.post(f"{where}/rpc", json=call, auth=auth, timeout=TIMEOUT_SECONDS)
            if answer.status_code == requests.codes.unauthorized:
                raise self._refused(where, password)
            answer.raise_for_status()
            return dict(answer.json()["result"])
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise LabFault(f"relay {where} does not do {method}: {error}", board=self._board) from error

    def _refused(self, where: str, password: str) -> LabFault:
        return LabFault(
            f"relay {where} refuses the password" if password else f"relay {where} asks for a password",
            board=self._board,
            hint="name a password_file for ShellyPowerDriver, or host: http://admin:PASSWORD@HOST",
        )


@target_factory.reg_driver
@attr.s(eq=False)
class ShellyPowerDriver(NetworkPowerDriver):  # type: ignore[misc]
    """labgrid's power driver of a `NetworkPowerPort` with the model `shelly_gen2`, with a password.

    `password_file` holds it, on one line, and only its owner can read it.
    """

    password_file: str = attr.ib(default="", validator=attr.validators.instance_of(str))

    def on_activate(self) -> None:
        """Read the password. Raises Misuse."""
        password = read_secret(Path(self.password_file)) if self.password_file else None
        self.backend = Gen2Backend(password, place_name(self.target))
        super().on_activate()
