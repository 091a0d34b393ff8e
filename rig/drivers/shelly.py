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
from rig.errors import LabFault, Unreachable
from rig.files import read_secret

#: The one user such a relay knows.
USER = "admin"
TIMEOUT_SECONDS = 5.0


class Gen2Backend:
    """What NetworkPowerDriver asks of a backend; the password is `password`, or stands in the host's URL.

    Calls go through `session`: one that stays open is neither dialled nor asked for its password again.
    """

    def __init__(self, password: str | None, board: str, session: requests.Session | None = None):
        self._password, self._board = password, board
        self._post = session.post if session is not None else requests.post
        self._digests: dict[tuple[str, str], HTTPDigestAuth] = {}

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
        auth = self._digest(unquote(url.username or USER), password) if password else None
        try:
            answer = self._post(f"{where}/rpc", json=call, auth=auth, timeout=TIMEOUT_SECONDS)
            if answer.status_code == requests.codes.unauthorized:
                raise self._refused(where, password)
            answer.raise_for_status()
            return dict(answer.json()["result"])
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            is_silent = isinstance(error, (requests.ConnectionError, requests.Timeout))
            kind = Unreachable if is_silent else LabFault
            raise kind(f"relay {where} does not do {method}: {error}", board=self._board) from error

    def _digest(self, user: str, password: str) -> HTTPDigestAuth:
        return self._digests.setdefault((user, password), HTTPDigestAuth(user, password))

    def _refused(self, where: str, password: str) -> LabFault:
        return LabFault(
            f"relay {where} refuses the password" if password else f"relay {where} asks for a password",
            board=self._board,
            hint="name a password_file for ShellyPowerDriver, or host: http://admin:PASSWORD@HOST",
        )


class ShellyContact:
    """Contact `index` of the relay at `host`, on a connection of its own that stays open; not for two threads at once.

    `host` is a URL as `NetworkPowerPort` has it.
    """

    route, direct = "Shelly's RPC", True

    def __init__(self, host: str, index: int, *, password: str | None, board: str):
        self._session = requests.Session()
        self._backend = Gen2Backend(password, board, self._session)
        self._host, self._index = host, index

    def connect(self) -> None:
        """Dial, and answer the relay's question for a password, so that a cut does not pay for it. Raises LabFault."""
        self.is_closed()

    def switch(self, closed: bool) -> None:
        """Close or open it. Raises LabFault."""
        self._backend.power_set(self._host, None, self._index, closed)

    def is_closed(self) -> bool:
        """Read it back. Raises LabFault."""
        return self._backend.power_get(self._host, None, self._index)

    def close(self) -> None:
        """Hang up; the contact stays as it is."""
        self._session.close()


@target_factory.reg_driver
@attr.s(eq=False)
class ShellyPowerDriver(NetworkPowerDriver):  # type: ignore[misc]
    """labgrid's power driver of a `NetworkPowerPort` with the model `shelly_gen2`, with a password.

    `password_file` holds it, on one line, and only its owner can read it. Called `power`, or alone, it feeds a board,
    and cuts go over a connection of their own.
    """

    password_file: str = attr.ib(default="", validator=attr.validators.instance_of(str))

    def on_activate(self) -> None:
        """Read the password. Raises Misuse."""
        self._password = read_secret(Path(self.password_file)) if self.password_file else None
        self.backend = Gen2Backend(self._password, place_name(self.target))
        super().on_activate()

    def contact(self) -> ShellyContact:
        """A connection of its own to the same contact, for a thread that cuts."""
        index, board = int(self.port.index), place_name(self.target)
        return ShellyContact(self._host, index, password=self._password, board=board)
