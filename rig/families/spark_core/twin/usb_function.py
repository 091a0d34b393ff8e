"""What every USB identity of a Core answers to standard requests, as ST's USB-FS-Device library does.

Read from core-common-lib, tag spark_4: STM32_USB-FS-Device_Driver/src/usb_core.c (NoData_Setup0, Data_Setup0,
Standard_*), which bootloaders and applications share; recorded in vectors/dfu p01 and p65 to p72. The library never
looks at the direction of a request: one without data is obeyed either way, and a question that is sent as a write is
taken into the memory it asks about.
"""

from __future__ import annotations

from rig.formats import usb
from rig.formats.usb import Setup
from rig.twin.steps import Program

SELF_POWERED, REMOTE_WAKEUP = 1, 2
ENDPOINT_HALT, DEVICE_REMOTE_WAKEUP = 0, 1
HIGHEST_ADDRESS = 127
TO_HOST = 0x80


class UsbFunction:
    """A device as the host sees it: descriptors and control transfers. Subclasses add what their class does.

    `control` answers one transfer: the bytes of an IN data stage (empty for none), or None for a stall. What can be
    asked for is kept as it lies in memory, so that a write meant as a question changes it.
    """

    device_descriptor: bytearray
    configuration_descriptor: bytearray
    strings: list[bytearray]
    #: What the class takes as settings, whatever its descriptors say.
    highest_alternate: int
    highest_interface: int
    #: Addresses of the endpoints beyond 0.
    endpoints: frozenset[int] = frozenset()

    def __init__(self) -> None:
        self._configuration = bytearray(1)
        self._alternate = bytearray(1)
        self._remote_wakeup = False
        self._halted: set[int] = set()

    @property
    def identity(self) -> str:
        """`VVVV:PPPP` in lower-case hex."""
        low = self.device_descriptor
        return f"{int.from_bytes(low[8:10], 'little'):04x}:{int.from_bytes(low[10:12], 'little'):04x}"

    @property
    def configured(self) -> bool:
        """Whether the host has set a configuration."""
        return self._configuration[0] != 0

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer one control transfer; None stalls."""
        if setup.kind == usb.STANDARD:
            reply = self._asked(setup, data) if setup.length else self._out_request(setup)
        elif setup.kind == usb.CLASS and setup.recipient == usb.INTERFACE:
            reply = self.class_request(setup, data)
        else:
            reply = None
        return reply if reply is None else reply[: setup.length]

    def class_request(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a class request to an interface; None stalls."""
        return None

    def status_stage(self) -> Program | None:
        """Work that begins once the last answer has reached the host, if there is any."""
        return None

    # -- requests with data ------------------------------------------------------------------------------------------

    def _asked(self, setup: Setup, data: bytes) -> bytes | None:
        memory = self._memory_of(setup)
        if memory is None:
            return None
        if setup.device_to_host:
            return bytes(memory)
        memory[: len(data)] = data[: len(memory)]
        return b""

    def _memory_of(self, setup: Setup) -> bytearray | None:
        """Where what is asked for lies."""
        match setup.request, setup.recipient:
            case usb.GET_STATUS, _ if setup.value == 0 and setup.length == 2 and setup.index < 0x100:
                return self._status_of(setup)
            case usb.GET_DESCRIPTOR, usb.DEVICE:
                return self._descriptor(setup.value >> 8, setup.value & 0xFF)
            case usb.GET_CONFIGURATION, usb.DEVICE:
                return self._configuration
            case usb.GET_INTERFACE, usb.INTERFACE if setup.value == 0 and setup.length == 1:
                return self._alternate if self.configured and self._has_interface(setup.index) else None
        return None

    def _status_of(self, setup: Setup) -> bytearray | None:
        match setup.recipient:
            case usb.DEVICE if setup.index == 0:
                return bytearray([SELF_POWERED | (REMOTE_WAKEUP if self._remote_wakeup else 0), 0])
            case usb.INTERFACE if self.configured and self._has_interface(setup.index):
                return bytearray(2)
            case usb.ENDPOINT if self._has_endpoint(setup.index):
                return bytearray([setup.index in self._halted, 0])
        return None

    def _descriptor(self, kind: int, index: int) -> bytearray | None:
        if kind == usb.DESCRIPTOR_DEVICE:
            return self.device_descriptor
        if kind == usb.DESCRIPTOR_CONFIGURATION:
            return self.configuration_descriptor
        if kind == usb.DESCRIPTOR_STRING and index < len(self.strings):
            return self.strings[index]
        return None

    # -- requests without data ---------------------------------------------------------------------------------------

    def _out_request(self, setup: Setup) -> bytes | None:
        done = {
            usb.DEVICE: self._device_request,
            usb.INTERFACE: self._interface_request,
            usb.ENDPOINT: self._endpoint_request,
        }.get(setup.recipient, lambda _setup: False)(setup)
        return b"" if done else None

    def _device_request(self, setup: Setup) -> bool:
        if setup.index != 0:
            return False
        match setup.request:
            case usb.SET_CONFIGURATION if setup.value <= 1:
                self._configuration[0] = setup.value
                return True
            case usb.SET_ADDRESS:
                return setup.value <= HIGHEST_ADDRESS and not self.configured
            case usb.SET_FEATURE if setup.value & 0xFF == DEVICE_REMOTE_WAKEUP:
                self._remote_wakeup = True
                return True
            case usb.CLEAR_FEATURE if setup.value & 0xFF == DEVICE_REMOTE_WAKEUP:
                was_set, self._remote_wakeup = self._remote_wakeup, False
                return was_set
        return False

    def _interface_request(self, setup: Setup) -> bool:
        fits = setup.value <= self.highest_alternate and self._has_interface(setup.index)
        if setup.request == usb.SET_INTERFACE and self.configured and fits:
            self._alternate[0] = setup.value
            return True
        return False

    def _endpoint_request(self, setup: Setup) -> bool:
        """Halt and go on; SET_FEATURE does not look at the index's high byte. A halt of endpoint 0 ends at once."""
        address = setup.index & 0xFF
        if not (self.configured and setup.value == ENDPOINT_HALT and self._has_endpoint(address)):
            return False
        if setup.request == usb.SET_FEATURE:
            self._halted |= {address} & self.endpoints
            return True
        if setup.request == usb.CLEAR_FEATURE and setup.index < 0x100:
            self._halted.discard(address)
            return True
        return False

    def _has_interface(self, number: int) -> bool:
        return number <= self.highest_interface

    def _has_endpoint(self, address: int) -> bool:
        """Whether an endpoint works in this direction."""
        return address & ~TO_HOST == 0 or address in self.endpoints
