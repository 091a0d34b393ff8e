"""The relay that feeds a board: a labgrid power driver, and the contact a cut opens without labgrid in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attr
from labgrid import target_factory
from labgrid.driver.common import Driver
from labgrid.protocol import DigitalOutputProtocol, PowerProtocol
from pyModbusTCP.client import ModbusClient
from pyModbusTCP.constants import MB_TIMEOUT_ERR

from rig.clock import Clock
from rig.drivers.place import place_name
from rig.errors import LabFault, Unreachable
from rig.ports import format_address, read_address

TIMEOUT_SECONDS = 1.0
#: From so many times as slow as alone on, a machine may be why nobody answers.
BUSY = 1.5
#: Where Modbus relays listen, if nothing else is told.
MODBUS_PORT = 502

T = TypeVar("T")


class ModbusContact:
    """One coil on a Modbus connection of its own that stays open; not for two threads at once."""

    route, direct = "Modbus", True

    def __init__(self, host: str, port: int, coil: int, *, inverted: bool, board: str):
        self._client = ModbusClient(host=host, port=port, timeout=TIMEOUT_SECONDS, auto_open=True, auto_close=False)
        self._coil, self._inverted, self._board = coil, inverted, board

    def connect(self) -> None:
        """Open the connection now, so that the first command does not pay for it. Raises LabFault."""
        if not self._client.is_open and not self._client.open():
            raise self._fault("connect")

    def switch(self, closed: bool) -> None:
        """Close or open the contact. Raises LabFault when the relay does not answer."""
        if not self._answer(lambda: self._client.write_single_coil(self._coil, closed != self._inverted)):
            raise self._fault("switch")

    def is_closed(self) -> bool:
        """Read the contact back. Raises LabFault."""
        states = self._answer(lambda: self._client.read_coils(self._coil))
        if not states:
            raise self._fault("read back")
        return bool(states[0]) != self._inverted

    def close(self) -> None:
        """Hang up; the contact stays as it is."""
        self._client.close()

    def _answer(self, ask: Callable[[], T]) -> T:
        """What the relay answers. A busy machine, which may hold the relay up as well, waits for it once more.

        What is asked changes nothing when it is asked again.
        """
        answer = ask()
        if not answer and self._client.last_error == MB_TIMEOUT_ERR and (slowdown := Clock().slowdown()) >= BUSY:
            self._client.timeout = TIMEOUT_SECONDS * slowdown
            answer = ask()
            self._client.timeout = TIMEOUT_SECONDS
        return answer

    def _fault(self, action: str) -> Unreachable:
        where = format_address(self._client.host, self._client.port)
        return Unreachable(
            f"relay {where} does not {action} coil {self._coil}: {self._client.last_error_as_txt}",
            board=self._board,
            hint="is the relay alive and the coil wired to this board?",
        )


@target_factory.reg_driver
@attr.s(eq=False)
class RelayDriver(Driver, PowerProtocol):  # type: ignore[misc]
    """Power by a Modbus coil that is closed while the board is fed.

    `delay` is how long `cycle` leaves it open, in seconds.
    """

    bindings = {"coil": "ModbusTCPCoil"}  # noqa: RUF012 (labgrid's convention)
    delay: float = attr.ib(default=0.5, validator=attr.validators.instance_of(float))

    def on_activate(self) -> None:
        """Make the contact; its connection opens with the first command."""
        self._contact = self.contact()

    def on_deactivate(self) -> None:
        """Hang up."""
        self._contact.close()

    def contact(self) -> ModbusContact:
        """A connection of its own to the same coil, for a thread that cuts."""
        return _contact_of(self)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def on(self) -> None:
        """Feed the board."""
        self._contact.switch(True)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def off(self) -> None:
        """Take the supply away."""
        self._contact.switch(False)

    @Driver.check_active  # type: ignore[untyped-decorator]
    def cycle(self) -> None:
        """Off, `delay` seconds, on."""
        self.off()
        Clock().sleep(self.delay)
        self.on()

    @Driver.check_active  # type: ignore[untyped-decorator]
    def get(self) -> bool:
        """Whether the contact reads back as closed."""
        return bool(self._contact.is_closed())


@target_factory.reg_driver
@attr.s(eq=False)
class ButtonDriver(Driver, DigitalOutputProtocol):  # type: ignore[misc]
    """A button on a Modbus coil that is closed while it is pressed; what was told is read back."""

    bindings = {"coil": {"ModbusTCPCoil", None}}  # noqa: RUF012 (labgrid's convention; None: a place may lack it)

    def on_activate(self) -> None:
        """Make the contact. Raises LabFault where the place exports no coil for it."""
        if self.coil is None:
            raise LabFault(
                f"the place exports no ModbusTCPCoil for the button {self.name}",
                board=place_name(self.target),
                hint=f"export one called {self.name}, or take the tag {self.name}=wired away",
            )
        self._contact = _contact_of(self)

    def on_deactivate(self) -> None:
        """Hang up; the button stays as it is."""
        self._contact.close()

    @Driver.check_active  # type: ignore[untyped-decorator]
    def set(self, status: bool) -> None:
        """Press or let go. Raises LabFault when the relay does not do it."""
        self._contact.switch(status)
        if self._contact.is_closed() != status:
            raise LabFault("the relay does not move the button", board=place_name(self.target), hint="a sticky relay?")

    @Driver.check_active  # type: ignore[untyped-decorator]
    def get(self) -> bool:
        """Whether it is pressed, as the relay reads back."""
        return bool(self._contact.is_closed())


def _contact_of(driver: Any) -> ModbusContact:
    host, port = address_of(driver.coil.host)
    return ModbusContact(host, port, driver.coil.coil, inverted=driver.coil.invert, board=place_name(driver.target))


def address_of(text: str) -> tuple[str, int]:
    """Host and port of a relay as its resource names them, with or without a port. Raises Misuse."""
    bare = ":" not in text or text.endswith("]")
    return read_address(f"{text}:{MODBUS_PORT}" if bare else text, "the relay's host", f"192.0.2.10:{MODBUS_PORT}")
