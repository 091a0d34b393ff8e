"""SLIP, as serial loaders use it: frames between delimiters, sans I/O (esptool's serial-protocol.rst).

What comes before the first delimiter is noise (a boot log), and so is a frame with a wrong escape.
"""

from __future__ import annotations

END, ESCAPE = 0xC0, 0xDB
_ESCAPED_END, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"
_MEANT = {0xDC: END, 0xDD: ESCAPE}


def frame(data: bytes) -> bytes:
    """`data` as a frame, with a delimiter at either end."""
    escaped = data.replace(b"\xdb", _ESCAPED_ESCAPE).replace(b"\xc0", _ESCAPED_END)
    return b"\xc0" + escaped + b"\xc0"


class SlipDecoder:
    """Takes bytes as they come and gives frames; one longer than `longest` bytes is dropped whole."""

    def __init__(self, longest: int):
        self._longest = longest
        self._raw = bytearray()
        #: Nothing counts until the next delimiter: the stream begins so, and a frame too long leaves it so.
        self._lost = True

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes; empty ones are none."""
        frames = []
        *closing, rest = data.split(b"\xc0")
        for piece in closing:
            self._take(piece)
            if not self._lost and (decoded := self._decoded()) is not None:
                frames.append(decoded)
            self._raw.clear()
            self._lost = False
        self._take(rest)
        return frames

    def _take(self, piece: bytes) -> None:
        if self._lost:
            return
        self._raw += piece
        # An escaped byte takes two: whatever is longer than that cannot fit any more.
        if len(self._raw) > 2 * self._longest:
            self._raw.clear()
            self._lost = True

    def _decoded(self) -> bytes | None:
        first, *others = bytes(self._raw).split(b"\xdb")
        out = bytearray(first)
        for piece in others:
            if not piece or piece[0] not in _MEANT:
                return None
            out.append(_MEANT[piece[0]])
            out += piece[1:]
        return bytes(out) if 0 < len(out) <= self._longest else None
