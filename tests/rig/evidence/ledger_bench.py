"""How long a ledger of a million lines takes to verify, on demand: python -m tests.rig.evidence.ledger_bench [LINES]

Its lines are as long as real ones (about 0.9 KB); 5 s of CPU and 100 MB are what it may take.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from rig.evidence.ledger_line import GENESIS, chained, encode
from rig.evidence.verify import verify

MOST_SECONDS, MOST_MB = 5.0, 100


def write_large(path: Path, lines: int) -> None:
    """Intents and cuts in turn, without a word to the disk between them."""
    head = GENESIS
    with path.open("wb") as file:
        for number in range(lines):
            content = {
                "kind": "cut" if number % 2 else "intent", "run": "20261129-010000", "trial": f"gw0-{number // 2}",
                "place": f"core-{number % 16:02}", "from": "a" * 64, "to": "b" * 64, "seed": 0,
                "aim": {"phase": "erase", "event": f"page {number % 100}", "delay": number / 1000 + 0.0001},
            }  # fmt: skip
            if number % 2:
                content["landing"] = {"address": 0x8005000 + number % 4096, "detail": "half erased → “old”"}
                content["off"] = {"answer_ns": 10**14 + number, "command_ns": 10**14, "trigger_ns": 10**14 - 5}
                content["outcome"] = {"became": "old", "rung": None, "seconds": round(3.4 + number / 7, 3)}
                content["capsule"] = f"rig replay spark-core:b:dfu:{'ab' * 400}"
            head = chained(head, encode(content))
            file.write(encode({**content, "hash": head}) + b"\n")


def main() -> int:
    """Measure, and say whether it is little enough."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "main.jsonl"
        write_large(path, lines)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = time.process_time()
        found = verify(path)
        spent, megabytes = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = path.stat().st_size / 1e9
    assert not found.findings
    print(f"{lines:,} lines, {size:.2f} GB: {spent:.2f} s of CPU, {megabytes:.0f} MB at most ({before:.0f} before)")
    return int(spent > MOST_SECONDS * lines / 1e6 or megabytes > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())
