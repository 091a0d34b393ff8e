"""A timeline: what happened to one board in one test, each thing with its monotonic time and who saw it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rig.escape import terminal
from rig.files import make_folder, writing

#: A test has some hundreds; of one that never ends the newest are kept, a mark tells how many are not.
MOST_MOMENTS, LONGEST_TEXT = 20_000, 2000
#: Letters of a test in the names of its files.
LONGEST_NAME = 120


def file_name(nodeid: str) -> str:
    """What the files of a test's timeline are called, without their ending: readable, and no other test's."""
    suite, _, test = nodeid.partition("::")
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", f"{Path(suite).stem.removeprefix('test_')}-{test.removeprefix('test_')}")
    return f"{name[:LONGEST_NAME].strip('-')}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened: `source` is who saw it (rig, host, relay, usb)."""

    ns: int
    source: str
    text: str


class Timeline:
    """Moments in the order they were seen."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._dropped = 0

    def note(self, source: str, text: str, *, ns: int | None = None) -> None:
        """Add a moment; `ns` is when it was, if not now."""
        self.moments.append(Moment(time.monotonic_ns() if ns is None else ns, source, text[:LONGEST_TEXT]))
        if len(self.moments) > MOST_MOMENTS:
            self._drop(MOST_MOMENTS // 10)

    def _drop(self, count: int) -> None:
        """Forget the oldest moments: the first that is left stands for them."""
        self._dropped += count if not self._dropped else count - 1
        gone = self.moments[count - 1]
        self.moments[:count] = [Moment(gone.ns, gone.source, f"{self._dropped} moments before this are not kept")]

    def text(self) -> str:
        """One line a moment, in milliseconds since the first."""
        moments = sorted(self.moments, key=lambda moment: moment.ns)
        first = moments[0].ns if moments else 0
        return "\n".join(f"{(m.ns - first) / 1e6:12.3f} ms  {m.source:6} {terminal(m.text)}" for m in moments)

    def write(self, path: Path) -> None:
        """Write `path` as JSON lines and the same as text beside it. Raises Misuse, LabFault."""
        make_folder(path.parent)
        with writing(path):
            path.write_text("".join(json.dumps(asdict(moment)) + "\n" for moment in self.moments))
            path.with_suffix(".txt").write_text(self.text() + "\n", encoding="utf-8")
