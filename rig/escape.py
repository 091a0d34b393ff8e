"""Text from outside is data: what would act on whatever shows it is made visible instead. One function a kind of page.

Outside is all that boards, certificates, images, servers, files and their names say. JSON needs none of these.
"""

from __future__ import annotations

import codecs
import html
import re

#: What Markdown takes for more than itself, in a table or a list; HTML is escaped before.
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$#])")
_BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")


def terminal(text: str) -> str:
    r"""For a terminal: controls, what turns or hides letters (bidi, zero width) and surrogates, as `\x1b` or `\u202e`.

    That what was escaped already stays as it is.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def one_line(text: str) -> str:
    """The same on one line: breaks become spaces."""
    stripped = text.strip()
    return stripped if stripped.isprintable() else terminal(_BREAKS.sub(" ", stripped))


def markdown(text: str) -> str:
    """For a cell or an item of a page in Markdown."""
    return _MARKDOWN.sub(r"\\\1", html.escape(one_line(text), quote=False))


def code(text: str) -> str:
    """As code in an item of such a page, where nothing can be escaped as elsewhere."""
    return "`" + re.sub("[`<>&]", lambda found: f"\\x{ord(found[0]):02x}", one_line(text)) + "`"


def xml(text: str) -> str:
    """For text or an attribute in XML and SVG, which know no control characters at all."""
    return html.escape(terminal(text))


class Console:
    """What a board says, for a terminal, piece by piece: its lines and colours act, and nothing else does."""

    #: A colour whose end has not come yet.
    _BEGUN = re.compile(r"\x1b(?:\[[0-9;]{0,16})?\Z")
    _ACTS = re.compile(r"(\x1b\[[0-9;]{0,16}m|[\r\n\t])")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._begun = ""

    def feed(self, data: bytes) -> str:
        """What to show of it now."""
        text = self._begun + self._decoder.decode(data)
        begun = self._BEGUN.search(text)
        self._begun = begun[0] if begun is not None else ""
        parts = self._ACTS.split(text.removesuffix(self._begun))
        return "".join(part if number % 2 else terminal(part) for number, part in enumerate(parts))


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x1_0000 else f"\\U{code:08x}"
