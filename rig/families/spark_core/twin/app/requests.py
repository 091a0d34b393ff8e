"""What a Core tells of its user's code when it is asked: a description, a variable, a function's result.

Requests are read by fixed places, as the firmware does: byte 7 holds the length of a name, which lies behind it.
Names are compared by their first twelve bytes (core-communication-lib src/spark_protocol.cpp; device-os v0.4.4
communication/src/spark_protocol.cpp, system/src/system_cloud.cpp).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import TypeVar

from rig.families.spark_core.formats.messages import BOOLEAN, DOUBLE, INTEGER, LONGEST_FUNCTION_NAME, STRING
from rig.families.spark_core.twin.app.channel import BUFFER_SIZE, Channel
from rig.families.spark_core.twin.app.dialect import Dialect
from rig.families.spark_core.twin.app.user_code import UserCode, Value

#: How many of each firmware before 0.4 holds.
MOST_FUNCTIONS, MOST_VARIABLES = 4, 10
#: What a read from address 0 gives: the initial stack pointer.
READ_FROM_ZERO = 0x2000_5000
_NAME_AT = 8
_LONGEST_STRING, _LONGEST_DESCRIPTION = BUFFER_SIZE - 18, BUFFER_SIZE - 8
_SYSTEM = ('"', "p", '"', ":", "0", ",", '"', "m", '"', ":", "[", "]")

Offered = TypeVar("Offered")


def registered(offered: Mapping[str, Offered], most: int, dialect: Dialect) -> dict[bytes, Offered]:
    """What the firmware keeps of what user code offers: names of twelve bytes."""
    if dialect.describes_system:  # whatever comes, but no longer names
        return {name.encode("latin-1"): it for name, it in offered.items() if len(name) <= LONGEST_FUNCTION_NAME}
    kept: dict[bytes, Offered] = {}
    for name, it in list(offered.items())[:most]:
        kept.setdefault(name[:LONGEST_FUNCTION_NAME].encode("latin-1"), it)
    return kept


def description(user: UserCode, dialect: Dialect, *, system: bool) -> bytes:
    """What Describe is answered with. From 0.4 on what has no room any more is left out, piece by piece."""
    functions = registered(user.functions, MOST_FUNCTIONS, dialect)
    variables = registered(user.variables, MOST_VARIABLES, dialect)
    pieces: list[bytes] = [b"{", b'"f":[']
    for number, name in enumerate(functions):
        pieces += [b","] * bool(number) + [b'"', name, b'"']
    pieces.append(b'],"v":{')
    for number, (name, (kind, _)) in enumerate(variables.items()):
        pieces += [b","] * bool(number) + [b'"', name, b'":', b"%d" % kind]
    pieces.append(b"}")
    if system:
        pieces += [b",", *(piece.encode() for piece in _SYSTEM)]
    pieces.append(b"}")
    return _fitting(pieces) if dialect.describes_system else b"".join(pieces)


def _fitting(pieces: Iterable[bytes]) -> bytes:
    fitting = b""
    for piece in pieces:
        if len(fitting) + len(piece) <= _LONGEST_DESCRIPTION:
            fitting += piece
    return fitting


def variable(channel: Channel, user: UserCode, dialect: Dialect) -> bytes:
    """The value of the variable that is asked for; one that is not there is read from address 0."""
    length = min(channel.buffer[_NAME_AT - 1] & 0x0F, LONGEST_FUNCTION_NAME)
    name = _text(channel, _NAME_AT, length)
    kind, value = registered(user.variables, MOST_VARIABLES, dialect).get(name, (INTEGER, READ_FROM_ZERO))
    return _packed(kind, value)


def function_name(channel: Channel) -> bytes:
    """The name of the function that is called, as far as it is compared."""
    return _text(channel, _NAME_AT, channel.buffer[_NAME_AT - 1] & 0x0F)[:LONGEST_FUNCTION_NAME]


def argument_place(channel: Channel) -> tuple[int, int]:
    """Where the argument of a call is taken from, and how long it is thought to be.

    A name of 13 bytes or more is taken for one of 13, with its own length in front: what is read is part of it.
    """
    at = _NAME_AT + (channel.buffer[_NAME_AT - 1] & 0x0F)
    length = channel.buffer[at] & 0x0F
    if length == 13:
        at += 1
        length = 13 + channel.buffer[at]
    elif length == 14:
        length = 269 + channel.number(at + 1, 2)
        at += 2
    return at + 1, length


def _text(channel: Channel, at: int, length: int) -> bytes:
    return bytes(channel.buffer[at : at + length]).partition(b"\0")[0]


def _packed(kind: int, value: Value) -> bytes:
    match kind:
        case k if k == BOOLEAN:
            return bytes([bool(value)])
        case k if k == STRING:
            return str(value).encode("latin-1").partition(b"\0")[0][:_LONGEST_STRING]
        case k if k == DOUBLE:
            return struct.pack("<d", float(value))
    return struct.pack(">i", int(value))
