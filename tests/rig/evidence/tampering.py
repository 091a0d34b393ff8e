"""A run's ledger of two workers, and ways to change it: each takes the folder of the ledger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from rig.evidence.ledger import Ledger
from rig.evidence.ledger_line import GENESIS, chained, encode
from rig.evidence.run_manifest import RunManifest

RUN = "20261129-010000"


def write_run(folder: Path, run: str = RUN, workers: int = 2) -> Path:
    """A finished run: three cuts of each worker, with what real lines have (fractions, arrows, nothing, lists)."""
    for worker in range(workers):
        with Ledger(folder / f"gw{worker}.jsonl") as ledger:
            for number in range(3):
                told = {"run": run, "trial": f"{run}-gw{worker}-{number}", "aim": {"phase": "erase", "delay": 0.25}}
                ledger.append("intent", told)
                outcome = {"became": "old", "seconds": 3.4567 + number, "rung": None, "steps": ["a", "b → c"]}
                ledger.append("cut", {**told, "landing": {"phase": "erase", "address": 4096}, "outcome": outcome})
    RunManifest.of_segments_in(folder, run).write(folder)
    return folder


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def put(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def forged(contents: list[dict]) -> list[bytes]:
    """Lines chained anew: what somebody writes who knows how a ledger is made."""
    head, lines = GENESIS, []
    for content in contents:
        body = {key: value for key, value in content.items() if key != "hash"}
        head = chained(head, encode(body))
        lines.append(encode({**body, "hash": head}))
    return lines


def _edit(change: Callable[[bytes], bytes], line: int = 2) -> Callable[[Path], None]:
    """Change one line's bytes."""

    def tamper(folder: Path) -> None:
        lines = lines_of(folder / "gw0.jsonl")
        changed = change(lines[line])
        assert changed != lines[line], "a tampering that changes nothing proves nothing"
        lines[line] = changed
        put(folder / "gw0.jsonl", lines)

    return tamper


def _rearrange(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    return lambda folder: put(folder / "gw0.jsonl", change(lines_of(folder / "gw0.jsonl")))


def _raw(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        path = folder / "gw0.jsonl"
        path.write_bytes(change(path.read_bytes()))

    return tamper


def _in_manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        manifest = json.loads((folder / "run.json").read_text())
        change(manifest)
        (folder / "run.json").write_text(json.dumps(manifest))

    return tamper


def _forge(change: Callable[[list[dict]], list[dict]]) -> Callable[[Path], None]:
    """Change contents and chain the segment anew; the manifest stays."""
    return _rearrange(lambda lines: forged(change([json.loads(line) for line in lines])))


def _forge_all(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Write a line in another form with a hash that fits those bytes, the lines behind it and the manifest too."""

    def tamper(folder: Path) -> None:
        head, lines = GENESIS, []
        for number, line in enumerate(lines_of(folder / "gw0.jsonl")):
            content = json.loads(line)
            content.pop("hash")
            body = change(encode(content)) if number == 2 else encode(content)
            head = chained(head, body)
            lines.append(body[:-1] + f',"hash":"{head}"}}'.encode())
        put(folder / "gw0.jsonl", lines)
        manifest = json.loads((folder / "run.json").read_text())
        manifest["segments"][0]["head"] = head
        (folder / "run.json").write_text(json.dumps(manifest))

    return tamper


def _respaced(line: bytes) -> bytes:
    return json.dumps(json.loads(line)).encode()


def _reordered(line: bytes) -> bytes:
    return json.dumps(dict(reversed(json.loads(line).items())), separators=(",", ":")).encode()


def _another_run(folder: Path) -> None:
    """A segment of another run in this one's place, and the manifest made to fit."""
    other = write_run(folder.parent / "other" / "ledger", run="20261128-230000")
    shutil.copy(other / "gw0.jsonl", folder / "gw0.jsonl")
    RunManifest.of_segments_in(folder, RUN).write(folder)


def _linked_twice(folder: Path) -> None:
    shutil.copy(folder / "gw0.jsonl", folder / "gw1.jsonl")
    manifest = json.loads((folder / "run.json").read_text())
    manifest["segments"][1] = {**manifest["segments"][0], "segment": "gw1.jsonl"}
    (folder / "run.json").write_text(json.dumps(manifest))


TAMPERINGS: dict[str, Callable[[Path], object]] = {
    "a value changed": _edit(lambda line: line.replace(b"4096", b"8192"), line=3),
    "a hash changed": _edit(lambda line: line.replace(b'"hash":"', b'"hash":"f')[:-2] + b"}"),
    "a line taken out": _rearrange(lambda lines: [*lines[:2], *lines[3:]]),
    "the first line taken out": _rearrange(lambda lines: lines[1:]),
    "lines swapped": _rearrange(lambda lines: [lines[1], lines[0], *lines[2:]]),
    "a line there twice": _rearrange(lambda lines: [*lines[:3], lines[2], *lines[3:]]),
    "the last line taken out": _rearrange(lambda lines: lines[:-1]),
    "all but the first line taken out": _rearrange(lambda lines: lines[:1]),
    "the last line's end torn": _raw(lambda raw: raw[:-1]),
    "half of the last line torn": _raw(lambda raw: raw[:-40]),
    "bytes behind the last line": _raw(lambda raw: raw + b'{"kind":"cut"'),
    "an empty line": _rearrange(lambda lines: [*lines[:2], b"", *lines[2:]]),
    "an empty line at the end": _raw(lambda raw: raw + b"\n"),
    "zero bytes at the end": _raw(lambda raw: raw + bytes(512)),
    "CR LF": _raw(lambda raw: raw.replace(b"\n", b"\r\n")),
    "a byte order mark": _raw(lambda raw: b"\xef\xbb\xbf" + raw),
    "a space behind a line": _edit(lambda line: line + b" "),
    "written again with spaces": _edit(_respaced),
    "written again in another order": _edit(_reordered),
    "the hash moved to the end": _edit(
        lambda line: (lambda at: line[:at] + line[at + 75 : -1] + b"," + line[at : at + 74] + b"}")(
            line.index(b'"hash"')
        )
    ),
    "a key there twice, the first counts": _edit(lambda line: line.replace(b'"kind"', b'"kind":"cut","kind"')),
    "the hash there twice": _edit(lambda line: line.replace(b'"kind"', b'"hash":"' + b"0" * 64 + b'","kind"')),
    "a letter written as an escape": _edit(lambda line: line.replace(b'"erase"', b'"\\u0065rase"', 1)),
    "an escape written as a letter": _edit(lambda line: line.replace(b"\\u2192", "→".encode()), line=3),
    "a fraction written longer": _edit(lambda line: line.replace(b"0.25", b"0.250")),
    "a number written as a fraction": _edit(lambda line: line.replace(b"4096", b"4096.0"), line=3),
    "a fraction with an exponent": _edit(lambda line: line.replace(b"0.25", b"25e-2")),
    "a key twice, chained anew, manifest too": _forge_all(lambda b: b.replace(b'"kind"', b'"kind":"x","kind"')),
    "spaces, chained anew, manifest too": _forge_all(_respaced),
    "not UTF-8": _edit(lambda line: line.replace(b"erase", b"\xff\xfease", 1)),
    "garbage between lines": _rearrange(lambda lines: [*lines[:2], b"{]", *lines[2:]]),
    "a list for a line": _rearrange(lambda lines: [*lines[:2], b"[]", *lines[2:]]),
    "a value changed, chained anew": _forge(lambda told: [{**told[0], "trial": "x"}, *told[1:]]),
    "a line taken out, chained anew": _forge(lambda told: [*told[:2], *told[3:]]),
    "a line added, chained right": _forge(lambda told: [*told, told[-1]]),
    "a segment emptied": lambda folder: (folder / "gw1.jsonl").write_bytes(b""),
    "a segment removed": lambda folder: (folder / "gw1.jsonl").unlink(),
    "a segment renamed": lambda folder: (folder / "gw1.jsonl").rename(folder / "gw7.jsonl"),
    "segments exchanged": lambda folder: [
        (folder / a).rename(folder / b) for a, b in (("gw0.jsonl", "x"), ("gw1.jsonl", "gw0.jsonl"), ("x", "gw1.jsonl"))
    ],
    "a segment that nobody named": lambda folder: shutil.copy(folder / "gw0.jsonl", folder / "gw9.jsonl"),
    "a file that nobody named": lambda folder: (folder / "notes.txt").write_text("shipped\n"),
    "a segment of another run, manifest too": _another_run,
    "a segment in two places, manifest too": _linked_twice,
    "the manifest removed": lambda folder: (folder / "run.json").unlink(),
    "the manifest emptied": lambda folder: (folder / "run.json").write_text(""),
    "the manifest without a segment": _in_manifest(lambda told: told["segments"].pop()),
    "the manifest with another head": _in_manifest(lambda told: told["segments"][0].update(head="0" * 64)),
    "the manifest with another length": _in_manifest(lambda told: told["segments"][0].update(lines=7)),
    "the manifest of another run": _in_manifest(lambda told: told.update(run="20261128-230000")),
    "the manifest with a key twice": lambda folder: (folder / "run.json").write_text(
        (folder / "run.json").read_text().replace('"run":', '"run": "x", "run":', 1)
    ),
    "the ledger removed": lambda folder: shutil.rmtree(folder),
}  # fmt: skip
