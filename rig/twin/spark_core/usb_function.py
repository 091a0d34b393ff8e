"""What every USB identity of a Core answers: standard requests, as its USB library does (vectors/dfu p65-p72)."""

from __future__ import annotations

from rig.formats import usb
from rig.formats.usb import Setup
from rig.twin.steps import Program

SELF_POWERED, REMOTE_WAKEUP = 1, 2
HIGHEST_ALTERNATE, HIGHEST_INTERFACE = 3, 2


class UsbFunction:
    """A device as the host sees it: descriptors and control transfers. Subclasses add what their class does.

    `control` answers one transfer: the bytes of an IN data stage (empty for none), or None for a stall.
    """

    device_descriptor: bytes
    configuration_descriptor: bytes
    strings: list[bytes]

    def __init__(self) -> None:
        self.configuration = 0
        self.alternate = 0
        self._remote_wakeup = False

    @property
    def identity(self) -> str:
        """`VVVV:PPPP` in lower-case hex."""
        low = self.device_descriptor
        return f"{int.from_bytes(low[8:10], 'little'):04x}:{int.from_bytes(low[10:12], 'little'):04x}"

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer one control transfer; None stalls."""
        if setup.kind == usb.STANDARD:
            reply = self._standard(setup)
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

    def _standard(self, setup: Setup) -> bytes | None:
        if setup.recipient == usb.DEVICE:
            return self._device_request(setup)
        if setup.recipient == usb.INTERFACE:
            return self._interface_request(setup)
        if setup.recipient == usb.ENDPOINT and setup.request == usb.GET_STATUS and setup.index & 0x7F == 0:
            return bytes(2)
        return None

    def _device_request(self, setup: Setup) -> bytes | None:
        match setup.request:
            case usb.GET_STATUS:
                return bytes([SELF_POWERED | (REMOTE_WAKEUP if self._remote_wakeup else 0), 0])
            case usb.SET_FEATURE | usb.CLEAR_FEATURE if setup.value == 1:
                self._remote_wakeup = setup.request == usb.SET_FEATURE
                return b""
            case usb.SET_ADDRESS:
                return b""
            case usb.GET_DESCRIPTOR:
                return self._descriptor(setup.value >> 8, setup.value & 0xFF)
            case usb.GET_CONFIGURATION:
                return bytes([self.configuration])
            case usb.SET_CONFIGURATION if setup.value <= 1:
                self.configuration = setup.value
                return b""
        return None

    def _interface_request(self, setup: Setup) -> bytes | None:
        if not self.configuration:
            return None
        match setup.request:
            case usb.GET_STATUS:
                return bytes(2)
            case usb.GET_INTERFACE:
                return bytes([self.alternate])
            case usb.SET_INTERFACE if setup.value <= HIGHEST_ALTERNATE and setup.index <= HIGHEST_INTERFACE:
                self.alternate = setup.value
                return b""
        return None

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == usb.DESCRIPTOR_DEVICE:
            return self.device_descriptor
        if kind == usb.DESCRIPTOR_CONFIGURATION:
            return self.configuration_descriptor
        if kind == usb.DESCRIPTOR_STRING and index < len(self.strings):
            return self.strings[index]
        return None


def serial_number(uid: bytes) -> str:
    """The 12 hex digits both identities announce, computed from the 12-byte unique id (§4.1)."""
    words = [int.from_bytes(uid[at : at + 4], "little") for at in (0, 4, 8)]
    return f"{(words[0] + words[2]) & 0xFFFFFFFF:08X}{words[1] >> 16:04X}"
