"""Ways to say every verb of the command: options that are there or not, and values that are right, odd or hostile."""

from __future__ import annotations

import enum
import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import typer.main

from rig.cli import main as entry
from rig.errors import RigError
from rig.files import read_user_file
from tests.rig.cli.hostile_files import Files

TEXTS = (
    *("", " ", "-", "x", "[/b]", "[red]", "\x1b[31m", "\u202e", "\udcff", "\U0001f600", "$x^{$", "'", '"'),
    *("../..", "a/b", "a=b", "=", "=x", "x=", "@", "a@b", "a" * 5000, "0", "-1", "9" * 5000, "²", "٣", "1e999"),
    *("0x", "0x10", "0o7", "1_0", " 1", "+1", "127.0.0.1:9", "[::1]:9", "::1:9", "h:99999", ":1", "h:", "h:-1", "h:0"),
    *("a" * 300 + ":9", "..:9", "ü:9", "\udcff:9", "\u202e:9", "[x]:9", "a..b:9", "127.0.0.1:²", "h:" + "9" * 5000),
    *("2027-01-01", "9999-12-31", "0001-01-01", "2027-02-30", "2027-01-01T00:00:00+23:59", "24:0a:c4:00:00:01"),
    *("48ff6c065067555026311387", "a" * 64, "Z" * 64, "x=" + "a" * 64, "1=0xFFFF", "1=", "11=1", "localhost", ".."),
    *("rfc2217://127.0.0.1:9", "socket://127.0.0.1:9", "socket://", "tcp://x", "http://127.0.0.1:9/x", "http://[", "ü"),
    *("deploy@127.0.0.1:9", "deploy@[::1", "ota", "power@127.0.0.1:9", "mode@", "stall@3:4", "stall*0:1e999"),
    *("ok", "esp32", "spark-core", "cc3000-1.28", "expired", "lets-encrypt-r10", "ipv6", "core-01", "not ( x"),
)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "-1",
    "2",
    "14",
    "65535",
    "65536",
    "99999",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "0.1",
    "9" * 5000,
    "x",
    "",
)
#: Options whose files are of a kind, whatever verb has them.
KINDS = {
    "manifest": "manifest.toml", "plan": "plan.toml", "server": "servers.toml", "updates": "deep-updates.toml",
    "config": "watch.toml", "rack": "lab.yaml", "chain": "chain.pem", "roots": "chain.pem", "key": "key.pem",
    "server_key": "key.pem", "identity_file": "key.pem", "ledger": "ledger.jsonl", "paths": "ledger.jsonl",
    "before": "report.jsonl", "known_hosts": "known_hosts", "file": "core.bin", "good": "core.bin", "source": "esp.bin",
    "internal": "internal.bin", "external": "external.bin", "flash": "flash.bin", "publish": "esp.bin",
}  # fmt: skip
#: What is right for some options, so that inputs come farther than the first of them.
RIGHT = {
    "entry": ("ota",), "live_chain": ("/etc/a.pem",), "live_key": ("/etc/a.key",), "name": ("one", "ota.example.com"),
    "host": ("localhost", "127.0.0.1"), "version": ("1.0", "[/b]"), "board": ("esp32", "spark-core"), "runs": ("ok",),
    "places": ("core-01",), "today": ("2027-01-01",), "until": ("2030-01-01",), "family": ("ipv4",),
    "cause": ("power-on", "watchdog"), "dr": ("1=0xFFFF",), "core": ("48ff6c065067555026311387",), "product": ("lamp",),
    "consent": ("me",), "under": ("lets-encrypt-r10",), "revision": ("300",), "time_scale": ("0",), "seconds": ("0.1",),
    "address": ("0x08005000", "127.0.0.1:9"), "client": ("127.0.0.1",), "device": ("240ac4000001",), "what": ("stall",),
    "hosts": ("127.0.0.1:9",), "length": ("16",), "path": ("/a.bin",), "listen": ("127.0.0.1:0",),
    "control": ("127.0.0.1:0",), "wire": ("power@127.0.0.1:9",), "cloud": ("127.0.0.1:9",), "good": ("a" * 64,),
}  # fmt: skip
#: Of options that make a command do something else altogether.
LEFT_OUT = {"debug", "help", "install_completion", "show_completion", "example"}
#: Verbs that take long, which get a tenth of the others' inputs.
SLOW = {
    *("cloud https", "cloud spark", "trust timeline", "twin spark-core boot", "twin relay", "firmware list"),
    *("firmware build", "dfu write", "lab bring-up"),
}
#: Without them most commands would end at once.
USUAL = {
    "seconds": 0.9,
    "once": 0.5,
    "check_config": 0.5,
    "dry_run": 0.7,
    "revocation": 0.0,
    "as_json": 0.3,
    "live": 0.1,
}


@dataclass(frozen=True)
class Verb:
    """A command, with the words that name it."""

    words: tuple[str, ...]
    params: tuple[Any, ...]

    def __str__(self) -> str:
        return " ".join(self.words)


def verbs() -> list[Verb]:
    """All of them, and the groups that do something without a command."""
    return list(_verbs(typer.main.get_command(entry.app), ()))


def _verbs(command: Any, words: tuple[str, ...]) -> Iterator[Verb]:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if words and (not inner or getattr(command, "invoke_without_command", False)):
        yield Verb(words, tuple(param for param in command.params if param.name not in LEFT_OUT))
    for name, sub in inner.items():
        yield from _verbs(sub, (*words, name))


def _kind(param: Any) -> type:
    annotation = param.type_descriptor.annotation
    while get_origin(annotation) in (list, Union, UnionType):
        annotation = next(one for one in get_args(annotation) if one is not type(None))
    return annotation if isinstance(annotation, type) else str


def words(rng: random.Random, verb: Verb, files: Files, places: Mapping[str, str]) -> list[str]:
    """One way to say it."""
    found: list[str] = []
    for param in verb.params:
        is_argument = not param.opts[0].startswith("-")
        usual = 0.8 if is_argument else 0.6 if param.name in KINDS else 0.25
        share = 1.0 if param.required else USUAL.get(param.name, usual)
        if rng.random() > share * 0.99:
            continue
        for _ in range(rng.choice((1, 1, 2)) if param.multiple or param.nargs == -1 else 1):
            if param.name in ("revocation", "heartbleed"):
                found.append(f"--no-{param.name}")
            elif getattr(param, "is_flag", False):
                found.append(param.opts[0])
            elif is_argument:
                found.append(_value(rng, param, files, places))
            else:
                found += [param.opts[0], _value(rng, param, files, places)]
    if "probe" in verb.words:
        found += ["--no-revocation", "--seconds", "0.1"]
    if "add" in verb.words:
        found += ["--sha256", _digest(found[0])]
        if "--manifest" not in found:  # else a release would be added to the checkout itself
            manifest = next(param for param in verb.params if "--manifest" in param.opts)
            found += ["--manifest", _value(rng, manifest, files, places)]
    return [*verb.words, *found]


def _digest(name: str) -> str:
    try:
        return hashlib.sha256(read_user_file(Path(name), 1 << 22)).hexdigest()
    except RigError:
        return "0" * 64


def _value(rng: random.Random, param: Any, files: Files, places: Mapping[str, str]) -> str:
    kind = _kind(param)
    if param.name in places and kind is str and rng.random() < 0.7:
        return places[param.name]
    if param.name in RIGHT and rng.random() < 0.5:
        return rng.choice(RIGHT[param.name])
    if param.name == "paths" and rng.random() < 0.6:
        return files.run(rng)
    if param.name == "rack" and rng.random() < 0.2:
        return "virtual"
    if param.name in KINDS and rng.random() < 0.95:
        return files.name(rng, KINDS[param.name])
    if issubclass(kind, Path):
        return files.name(rng)
    if issubclass(kind, enum.Enum):
        return rng.choice([str(one.value) for one in kind] * 3 + list(TEXTS))
    if kind in (int, float):
        return rng.choice(NUMBERS)
    if "control" in param.name or param.metavar == "HOST:PORT":
        return rng.choice(("127.0.0.1:9", "127.0.0.1:0", "[::1]:9", *TEXTS))
    return rng.choice(TEXTS)
