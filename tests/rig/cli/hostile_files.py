"""Files that people give by mistake or in malice: good ones, damaged in ways that readers trip over, and no files."""

from __future__ import annotations

import hashlib
import os
import random
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from rig.firmware.checkout import part
from rig.firmware.entries import Bootloader, Entry
from rig.trust.watch.example import EXAMPLE
from rig.trust.web_pki import WebPki
from tests.rig.evidence.tampering import write_run
from tests.rig.families.spark_core.twin.models import MANIFEST, ROLES

SMALL_MANIFEST = b"""
[[image]]
name = "one"
board = "spark-core"
version = "1"
runs = "ok"
sha256 = "b4f7e2e7b1f9f2a0f5d4b1e7fe0a4c1d0f4a7d7d7fa8f2c4c1f0f1a2b3c4d5e6"
recipe = { kind = "noise", seed = "x", length = 4096, word0 = 0x20005000, word1 = 0x08005009 }

[[image]]
name = "esp"
board = "esp32"
version = "1.0"
runs = "ok"
sha256 = "b4f7e2e7b1f9f2a0f5d4b1e7fe0a4c1d0f4a7d7d7fa8f2c4c1f0f1a2b3c4d5e7"
recipe = { kind = "esp-app", seed = "x", variant = "good", irom = 4096 }
esp32 = { client = "https-ota", url = "https://ota.example.com/x", pins = ["isrg-root-x1"], confirms = 1.0 }

[[image]]
name = "filed"
board = "esp32"
version = "1.0"
runs = "hangs"
sha256 = "b4f7e2e7b1f9f2a0f5d4b1e7fe0a4c1d0f4a7d7d7fa8f2c4c1f0f1a2b3c4d5e8"
file = "image.bin"

[[bootloader]]
name = "b"
board = "spark-core"
generation = "b"
size = 16384
sha256 = "b4f7e2e7b1f9f2a0f5d4b1e7fe0a4c1d0f4a7d7d7fa8f2c4c1f0f1a2b3c4d5e9"
recipe = { kind = "noise", seed = "l", length = 16384, word0 = 0x20005000, word1 = 0x08000009 }

[roles.spark-core]
old = "one"
new = "one"
[roles.esp32]
old = "esp"
new = "esp"
[variants.esp32.other]
old = "esp"
"""
SMALL_PLAN = b"""
[[endpoint]]
host = "ota.example.com"
ends = 2031-01-01
address = "127.0.0.1:9"
[endpoint.renewal]
issuer = ["lets-encrypt-r10"]
[[endpoint.shows]]
from = 2024-05-25
recipe = { under = "lets-encrypt-r10", key = "p256", days = 90.5, padding = 0 }
[[firmware]]
name = "lamp"
version = "1.0"
released = 2022-01-01
esp32 = { client = "https-ota", url = "https://ota.example.com/x", pins = ["isrg-root-x1"] }
"""
SERVERS = b"""
[ota]
ssh = "deploy@127.0.0.1:9"
names = ["ota.example.com"]
live_chain = "/etc/nginx/ota.pem"
live_key = "/etc/nginx/ota.key"
addresses = ["127.0.0.1:9"]
seconds = 1.5
known_hosts = "known_hosts"
roots = "chain.pem"
"""
REPORT = b"""{"host":"h","port":443,"at":"2026-01-01T00:00:00Z","findings":[],"addresses":[{"address":"127.0.0.1",\
"port":443,"chains":[],"clients":{"a":{"accepted":true}},"revocation":[]}]}
"""
TOKENS = (
    *(b"", b"-1", b"0", b"1e999", b"-1e999", b"nan", b"inf", b"9" * 5000, b"1" * 40, b"99999", b"0.5", b"true"),
    *(b"[" * 60_000, b"[" * 2000, b'{"a":' * 2000, b"a." * 3000 + b"a = 1\n", b"&a [*a, *a]", b"!!x/y:z {}"),
    *(b"9999-12-31", b"0001-01-01", b"2024-01-01T00:00:00+23:59", b'"\\u0000"', b'"\\ud800"', b'"/dev/zero"', b'""'),
    *(b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"'''", b'"""', b"\x1b[31m", "\u202e".encode(), b"[/b]", b'"$x^{$"'),
    *(b'"../../../../etc/passwd"', b'"a" = 1\n', b"[[a]]\n", b"a: &x\n- *x\n", b"<<: *x", b"\n---\n", b"{}"),
    *(b'"https://[::1"', b'"https://\xc3\xbc:99999/"', b'"' + b"a" * 300 + b'"', b'"xn--a"', b'".."', b'"a..b"'),
)  # fmt: skip
_PARTS = re.compile(rb'"[^"\n]{0,200}"|\b[0-9][0-9a-fx._:-]*\b|\b\w+\b|[\[\]{}=,:]')


def damage(rng: random.Random, good: bytes) -> bytes:
    """A good content, as it is or hurt a little or much."""
    data = good
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        data = rng.choice(_WAYS)(rng, data)
    return data


def _one_part(rng: random.Random, data: bytes) -> bytes:
    """Put something in the place of a word, a number or a text."""
    begin = rng.randrange(len(data) + 1)
    found = _PARTS.search(data, begin) or _PARTS.search(data)
    return data if found is None else data[: found.start()] + rng.choice(TOKENS) + data[found.end() :]


def _some_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 1, 4, 64))) + data[at + rng.choice((0, 1, 4, 64)) :]


def _cut_out(rng: random.Random, data: bytes) -> bytes:
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:begin] + data[end:]


def _twice(rng: random.Random, data: bytes) -> bytes:
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[begin:end] + data[end:]


def _put_in(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(TOKENS) + data[at:]


def _cut_short(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


_WAYS = (_one_part, _one_part, _one_part, _some_bytes, _cut_out, _twice, _put_in, _cut_short)


_ENDINGS = ("", ".svg", ".png", "/a/b", "[b]", "\udcff")


class Files:
    """A folder of good files and odd ones, and a fresh damaged one each time it is asked."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.good = _good_files(folder)
        self.odd = [
            *map(str, _odd_files(folder / "odd")),
            "/dev/zero",
            "/dev/full",
            "/dev/null/x",
            "/proc/self/mem",
            "",
            "-",
        ]
        self._number = 0

    def name(self, rng: random.Random, kind: str | None = None) -> str:
        """The name of a file, mostly of this kind where one is told."""
        way = rng.random()
        if way < 0.12:
            return rng.choice(self.odd)
        if way < 0.2:
            self._number += 1
            return str(self.folder / f"new-{self._number}{rng.choice(_ENDINGS)}")
        kind = kind if kind is not None and rng.random() < 0.9 else rng.choice(sorted(self.good))
        path = self.folder / f"damaged-{kind}"
        path.write_bytes(damage(rng, self.good[kind]))
        return str(path)

    def run(self, rng: random.Random) -> str:
        """The name of a folder with a run's ledger, or of a file in it."""
        ledger = self.folder / "damaged-run" / "ledger"
        ledger.mkdir(parents=True, exist_ok=True)
        for name, kind in (("gw0.jsonl", "ledger.jsonl"), ("gw1.jsonl", "other.jsonl"), ("run.json", "run.json")):
            (ledger / name).write_bytes(damage(rng, self.good[kind]) if rng.random() < 0.5 else self.good[kind])
        return str(rng.choice((ledger.parent, ledger, ledger / "gw0.jsonl", ledger / "run.json")))


def _good_files(folder: Path) -> dict[str, bytes]:
    pki = WebPki.make(seed=None)
    from rig.trust.recipe import IdentityRecipe

    shown = pki.issue("ota.example.com", IdentityRecipe())
    ledger = write_run(folder / "run" / "ledger")
    watch = re.sub(r"(?m)^(manifest|pins) = .*$|\[\[alert\..*?(?=\[metrics)", "", EXAMPLE, flags=re.S)
    watch = watch.replace('host = "ota.example.com"', 'host = "ota.example.com"\naddresses = ["127.0.0.1:9"]', 1)
    core = ROLES["new"].data
    found = {
        "manifest.toml": _with_digests(SMALL_MANIFEST),
        "plan.toml": SMALL_PLAN,
        "servers.toml": SERVERS,
        "deep-updates.toml": part("firmware-fixtures", "deep-updates.toml").read_bytes(),
        "watch.toml": watch.encode(),
        "lab.yaml": part("places", "virtual.yaml").read_bytes(),
        "chain.pem": shown.chain_pem,
        "key.pem": shown.key_pem,
        "ledger.jsonl": (ledger / "gw0.jsonl").read_bytes(),
        "other.jsonl": (ledger / "gw1.jsonl").read_bytes(),
        "run.json": (ledger / "run.json").read_bytes(),
        "report.jsonl": REPORT,
        "known_hosts": b"127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJq0d4Zb8e7bXg7vOsBVmVmqAfXkzJ1Fa6m9mXmFzC2W\n",
        "core.bin": core,
        "esp.bin": MANIFEST.image("esp32-old").data,
        "flash.bin": _flash(),
        "internal.bin": bytes(0x5000) + core.ljust(0x1B000, b"\xff"),
        "external.bin": b"\xff" * 0x200000,
    }  # fmt: skip
    for name, content in found.items():
        (folder / name).write_bytes(content)
    return found


def _with_digests(manifest: bytes) -> bytes:
    """The manifest's images as their recipes make them."""
    document = tomllib.loads(manifest.decode())
    for entry in [*document["image"], *document["bootloader"]]:
        recipe = (Bootloader if "generation" in entry else Entry).model_validate(entry).recipe
        content = recipe.build() if recipe is not None else b"image"
        manifest = manifest.replace(entry["sha256"].encode(), hashlib.sha256(content).hexdigest().encode())
    return manifest


def _flash() -> bytes:
    """An ESP32's, as it is shipped."""
    image = MANIFEST.image
    flash = bytearray(b"\xff" * (1 << 20))
    for offset, name in ((0x1000, "esp32-bootloader-plain"), (0x8000, "esp32-table"), (0x10000, "esp32-old")):
        data = image(name).data
        flash[offset : offset + len(data)] = data
    return bytes(flash)


def _odd_files(folder: Path) -> list[Path]:
    folder.mkdir()
    for name, make in _ODD.items():
        make(folder / name)
    return [*(folder / name for name in _ODD), folder / "nothing", folder / ("n" * 300), Path("/", *["d"] * 2500)]


_ODD: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path.name),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "large": lambda path: (path.touch(), os.truncate(path, 4 << 30)),
    "noise": lambda path: path.write_bytes(random.Random(1).randbytes(5000)),
    "zeroes": lambda path: path.write_bytes(bytes(70_000)),
    "[b]marked[red]\x1b[31m": lambda path: path.write_bytes(b"x"),
}
