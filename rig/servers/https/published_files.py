"""What can be downloaded: files by their path on the server, whole in memory, with the digests clients ask about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from rig.errors import Misuse
from rig.limits import MIB, refuse_more

#: More than the largest flash of an ESP32; and of all files, a release for each of a rack's kinds and the one before.
MOST_BYTES, MOST_BYTES_IN_ALL = 32 * MIB, 512 * MIB


@dataclass(frozen=True)
class Published:
    """One file: `path` begins with a slash, and is written as in a URL."""

    path: str
    data: bytes = field(repr=False)

    @cached_property
    def md5(self) -> str:
        """What Arduino's Update compares with `x-MD5`."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @cached_property
    def sha256(self) -> str:
        """The image's identity."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def etag(self) -> str:
        """A strong validator (RFC 9110 §8.8.3)."""
        return f'"{self.sha256[:32]}"'

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"path": self.path, "size": len(self.data), "md5": self.md5, "sha256": self.sha256}


class PublishedFiles:
    """Files by path, nothing of it written with %; publishing one again replaces it for requests from then on."""

    def __init__(self) -> None:
        self.files: dict[str, Published] = {}

    def publish(self, path: str, data: bytes) -> Published:
        """Let everybody download it. Raises Misuse for a path that no URL has."""
        path = path if path.startswith("/") else f"/{path}"
        if not path.isascii() or not path.isprintable() or set(path) & set(" ?#"):
            raise Misuse(f"no file can be at {path!r}", hint="as in a URL: %20 for a blank")
        others = [each for where, each in self.files.items() if where != unquote(path)]
        refuse_more(others, "files")
        if sum(len(each.data) for each in others) + len(data) > MOST_BYTES_IN_ALL:
            raise Misuse(
                f"there is no room for {path}: {MOST_BYTES_IN_ALL >> 20} MB in all", hint="withdraw some first"
            )
        file = self.files[unquote(path)] = Published(path, data)
        return file

    def find(self, path: str) -> Published | None:
        """What is at a path in which nothing is written with % any more."""
        return self.files.get(path)

    def drop(self, path: str) -> None:
        """Have it no more, if it is there."""
        self.files.pop(unquote(path), None)

    def withdraw(self, path: str) -> None:
        """Have it no more. Raises Misuse where nothing is."""
        if self.files.pop(unquote(path), None) is None:
            raise Misuse(f"nothing is published at {path}", hint=f"there is {', '.join(self.files) or 'nothing'}")
