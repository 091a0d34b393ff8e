"""Somebody's own firmware for tests: files as builds leave them, and a manifest beside them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rig.families.esp32.firmware.bootloader import build_bootloader, for_flash
from rig.families.esp32.firmware.images import App, build_app
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.firmware.checkout import manifest_path
from rig.firmware.manifest import Manifest
from rig.firmware.recipe import NoiseRecipe
from rig.firmware.run_firmware import load_firmware


@cache
def content(name: str) -> bytes:
    """A file by its name."""
    makers = {
        "old.bin": lambda: build_app(App(seed="lamp-1", version="1.0.0", idf="v5.1.2")),
        "new.bin": lambda: build_app(App(seed="lamp-2", version="1.1.0", idf="v5.1.2", irom=6000)),
        "same-version.bin": lambda: build_app(App(seed="lamp-3", version="1.0.0", irom=6000)),
        "c3.bin": lambda: build_app(App(seed="lamp", version="1.1.0", chip="esp32c3")),
        "late.bin": lambda: build_app(App(seed="lamp", version="1.1.0", min_revision=301)),
        "damaged.bin": lambda: content("new.bin")[:-40] + b"\0" * 40,
        "large.bin": lambda: build_app(App(seed="lamp", version="1.1.0"), 1_740_816),
        "stage.bin": lambda: build_bootloader("lamp", 12_000),
        "stage-2mb.bin": lambda: for_flash(build_bootloader("lamp", 12_000), 2 << 20),
        "table.bin": LAYOUTS["arduino"].pack,
        "core.bin": lambda: _core("mine", 5000),
        "core-large.bin": lambda: _core("mine", 110_600),
        "readme.bin": lambda: b"This is a README.\n" * 40,
    }
    return makers[name]()


def _core(seed: str, length: int) -> bytes:
    return NoiseRecipe(kind="noise", seed=seed, length=length, word0=0x2000_5000, word1=0x0800_516D).build()


def image(name: str, file: str, board: str = "esp32", more: str = "") -> str:
    """An entry of a manifest."""
    return f'[[image]]\nname = "{name}"\nboard = "{board}"\nfile = "{file}"\n{more}\n'


#: How the old lamp asks for updates.
ASKS = 'esp32 = { client = "https-ota", url = "https://updates.rig.test/{mac}/app.bin", pins = ["rig-root"] }'


def lamp(old: str = "old.bin", new: str = "new.bin", more: str = "") -> str:
    """A manifest for one family: two images, nothing else; `more` is of the old one. Its roles come last."""
    images = image("lamp-old", old, more=more) + image("lamp-new", new)
    return images + '[roles.esp32]\nold = "lamp-old"\nnew = "lamp-new"\n'


def written(folder: Path, text: str) -> Path:
    """The manifest in a folder, with the files that it names."""
    for name in ("old.bin", "new.bin", "stage.bin", "table.bin", "core.bin"):
        (folder / name).write_bytes(content(name))
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        if key == "file" and not (folder / value.strip('"')).exists() and not value.startswith('"no'):
            (folder / value.strip('"')).write_bytes(content(value.strip('"')))
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def loaded(folder: Path, text: str) -> Manifest:
    """The same, laid over the rig's own."""
    return load_firmware(written(folder, text))


@cache
def the_rigs() -> Manifest:
    """The rig's own."""
    return load_firmware(manifest_path())
