"""Genuine releases: fetched by URL or file, checked against their sha256, kept beside the manifest and outside git."""

from __future__ import annotations

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rig.errors import LabFault, Misuse
from rig.files import is_there, make_folder, read_given, read_text, write_given, writing
from rig.firmware import core_image
from rig.firmware.esp_refusal import no_application
from rig.firmware.file_kinds import kind_of
from rig.firmware.manifest import Entry, Manifest
from rig.formats import spark_flash as layout
from rig.formats.dfu_suffix import ANY, split_suffix
from rig.formats.spark_flash import plausible_first_word

RELEASES = "releases"
LARGEST = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_TIMEOUT_SECONDS = 30.0

#: Told how many bytes have come, of how many (None: the server does not say).
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Release:
    """What somebody says of a release: its identity, and how it behaves when it runs."""

    name: str
    board: str
    version: str
    runs: str


def fetch(source: str, sha256: str, watch: Progress) -> bytes:
    """The bytes at a URL or in a file, checked. Raises Misuse for a wrong hash or file, LabFault for the network."""
    content = _download(source, watch) if "://" in source else read_given(Path(source), LARGEST)
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256.lower():
        raise Misuse(f"{source} has sha256 {digest}, not {sha256}", hint="a changed file, or the wrong one")
    return content


def add_release(manifest: Path, release: Release, content: bytes) -> Path:
    """Store a release beside `manifest` and enter it, without its DFU suffix or DfuSe container.

    Returns the file. Raises Misuse.
    """
    known = Manifest.load(manifest)
    if release.name in known.entries:
        raise Misuse(f"{manifest}: an image {release.name!r} is there already", hint="choose another --name")
    data = _unwrapped(release, content)
    _refuse(release, data)
    digest = hashlib.sha256(data).hexdigest()
    twin = next((entry for entry in known.entries.values() if entry.sha256 == digest), None)
    if twin is not None:
        raise Misuse(f"{manifest}: {twin.name!r} is the same image")
    file = manifest.parent / RELEASES / f"{release.name}.bin"
    entry = {**{key: getattr(release, key) for key in Release.__slots__}, "sha256": digest, "file": file.name}
    Entry.checked(entry, str(manifest))
    listing = file.parent / "manifest.toml"
    before = read_text(listing) if is_there(listing) else "# Made by `rig firmware add`.\n"
    fields = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in entry.items())
    fresh = listing.with_suffix(".new")
    make_folder(file.parent)
    write_given(file, data)
    write_given(fresh, f"{before}\n[[image]]\n{fields}".encode())
    with writing(listing):
        fresh.replace(listing)
    return file


def _unwrapped(release: Release, content: bytes) -> bytes:
    """What a board would run. Raises Misuse for another device's file."""
    if release.board == "spark-core":
        fits, (data, suffix) = (core_image.VENDOR, core_image.PRODUCT), core_image.unwrap(content, release.name)
    else:
        fits, (data, suffix) = (ANY, ANY), split_suffix(content, release.name)
    if suffix is not None and not suffix.fits(*fits):
        raise Misuse(
            f"{release.name} is for a device {suffix.vendor:04x}:{suffix.product:04x}, not for a {release.board}"
        )
    return data


def _refuse(release: Release, data: bytes) -> None:
    """What no board could run is no release."""
    if not data:
        raise Misuse(f"{release.name} is empty")
    if release.board == "spark-core" and (len(data) > layout.APP_SIZE or not plausible_first_word(data)):
        kind = kind_of(data)
        what = f" but {kind}" if kind is not None else f": {len(data):,} bytes, beginning with {data[:4].hex()}"
        raise Misuse(
            f"{release.name} is nothing a Core could run{what}",
            hint=f"at most {layout.APP_SIZE:,} bytes, a stack pointer in RAM first",
        )
    if release.board == "esp32" and (refused := no_application(data)):
        raise Misuse(f"{release.name} is nothing an ESP32 would start: {refused}", hint="an application's .bin file")


def _download(url: str, watch: Progress) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise Misuse(f"{url} is neither https nor http")
    parts, come = [], 0
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            total = answer.headers.get("Content-Length")
            while chunk := answer.read(_CHUNK):
                parts.append(chunk)
                come += len(chunk)
                if come > LARGEST:
                    raise Misuse(f"{url} is larger than {LARGEST:,} bytes: no firmware")
                watch(come, int(total) if total and total.isdigit() else None)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise LabFault(f"cannot fetch {url}: {error}", hint="download it by hand and add the file") from error
    return b"".join(parts)
