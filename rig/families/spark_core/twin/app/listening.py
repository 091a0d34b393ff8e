"""USB identity of an application in listening mode: a CDC serial port that exists only then (reference §5.1)."""

from __future__ import annotations

import struct

from rig.families.spark_core.formats.core_id import usb_serial
from rig.families.spark_core.twin.usb_function import UsbFunction
from rig.formats.usb import Setup, string_descriptor

_DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 2, 0, 0, 64, 0x1D50, 0x607D, 0x0200, 1, 2, 3, 1)
_COMMUNICATION = bytes.fromhex("0904000001020201 00 0524001001 0524010001 04240202 0524060001 07058203 0800ff")
_DATA = bytes.fromhex("09040100020a000000 0705030240 0000 0705810240 0000")
_CONFIGURATION = struct.pack("<BBHBBBBB", 9, 2, 9 + len(_COMMUNICATION) + len(_DATA), 2, 1, 0, 0xC0, 0xE1)


class ListeningFunction(UsbFunction):
    """1D50:607D; line settings are accepted and do nothing (core-firmware, spark_4: src/usb_prop.cpp, usb_desc.cpp)."""

    SET_COMM_FEATURE, SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE = 0x02, 0x20, 0x21, 0x22

    highest_alternate, highest_interface = 0, 1
    endpoints = frozenset({0x81, 0x82, 0x03})

    def __init__(self, uid: bytes):
        super().__init__()
        self.device_descriptor = bytearray(_DEVICE)
        self.configuration_descriptor = bytearray(_CONFIGURATION + _COMMUNICATION + _DATA)
        self.strings = [
            bytearray.fromhex("04030904"),
            bytearray(string_descriptor("Spark Devices     ")),
            bytearray(string_descriptor("Spark Core with WiFi    ")),
            bytearray(string_descriptor(usb_serial(uid))),
        ]
        #: As the firmware keeps it: seven bytes that count, and one that fills the last word.
        self._line_coding = bytearray(struct.pack("<IBBBx", 9600, 0, 0, 8))

    def class_request(self, setup: Setup, data: bytes) -> bytes | None:
        """The requests of an abstract control model."""
        match setup.request:
            case self.SET_LINE_CODING | self.GET_LINE_CODING if setup.length:
                if setup.device_to_host:
                    return bytes(self._line_coding)
                self._line_coding[: len(data)] = data[: len(self._line_coding)]
                return b""
            case self.SET_CONTROL_LINE_STATE | self.SET_COMM_FEATURE if not setup.length:
                return b""
        return None
