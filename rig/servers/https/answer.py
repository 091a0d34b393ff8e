"""What is answered to a request: status, headers and which bytes, by RFC 9110 and by what updaters of ESP32s expect.

Nothing is sent here, and no fault is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rig.servers.https.check_in import CheckIn
from rig.servers.https.policy import Policy
from rig.servers.https.published_files import Published, PublishedFiles

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its headers, and of which file which bytes; `why` is for the log."""

    status: int
    why: str
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Published | None = None
    start: int = 0
    stop: int = 0

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.stop - self.start

    @property
    def body(self) -> memoryview:
        """What follows the headers of a GET; not a copy, since a slow client keeps it for long."""
        return memoryview(self.file.data if self.file is not None else b"")[self.start : self.stop]


def answer_to(
    path: str, headers: Mapping[str, str], check_in: CheckIn | None, files: PublishedFiles, policy: Policy
) -> Answer:
    """By the policy for a device that checks in for a product that has one, else the file at this path, or 404."""
    if check_in is not None and check_in.product in policy.products:
        release = policy.newest(check_in.product, check_in.device)
        if release is None:
            return Answer(304, "nothing is meant for this device")
        if release.version == check_in.version:
            return Answer(304, "runs the newest", {"ETag": release.image.etag})
        return file_answer(release.image, headers, f"update to {release.version}")
    file = files.find(path)
    if file is None:
        return Answer(404, "nothing is here")
    return file_answer(file, headers, "file")


def file_answer(file: Published, headers: Mapping[str, str], why: str) -> Answer:
    """A file, or the part of it that is asked for (RFC 9110 §13, §14)."""
    fields = {
        "Content-Type": "application/octet-stream",
        "ETag": file.etag,
        "Accept-Ranges": "bytes",
        "x-MD5": file.md5,
    }
    size = len(file.data)
    known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    if file.etag in known or "*" in known:
        return Answer(304, "unchanged", {"ETag": file.etag})
    wanted = read_range(headers.get("range"), size)
    if wanted is None or headers.get("if-range", file.etag) != file.etag:
        return Answer(200, why, fields, file, 0, size)
    start, stop = wanted
    if start >= stop:
        return Answer(416, "beyond the end", {"Content-Range": f"bytes */{size}"})
    del fields["x-MD5"]  # it would be compared with the part
    return Answer(206, why, {**fields, "Content-Range": content_range(start, stop, size)}, file, start, stop)


def content_range(start: int, stop: int, size: int) -> str:
    """The header's value for the bytes from `start` to before `stop`; the wire counts the last one in."""
    return f"bytes {start}-{stop - 1}/{size}"


def read_range(text: str | None, size: int) -> tuple[int, int] | None:
    """From where to before where; an empty stretch for what cannot be satisfied.

    None for no Range header, and for one to be ignored: other units, several stretches, nonsense (RFC 9110 §14.2).
    """
    found = _RANGE.fullmatch(text) if text is not None else None
    if found is None or not any(found.groups()):
        return None
    first, last = (int(number[:20]) if number else None for number in found.groups())
    if first is None:
        assert last is not None
        return (max(0, size - last), size) if last else (size, size)
    if last is not None and last < first:
        return None
    return min(first, size), min(size, last + 1) if last is not None else size
