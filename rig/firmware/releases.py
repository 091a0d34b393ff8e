"""Genuine releases: fetched by URL or file, checked against their sha256, kept beside the manifest and outside git."""

from __future__ import annotations

import hashlib
import http.client
import re
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rig.errors import LabFault, Misuse
from rig.files import is_there, make_folder, read_text, read_user_file, write_user_file, writing
from rig.firmware.document import read_document, table
from rig.firmware.entries import Document
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Entry, Manifest

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
    content = _download(source, watch) if "://" in source else read_user_file(Path(source), LARGEST)
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
    data = rules_of(release.board).release(content, release.name)
    digest = hashlib.sha256(data).hexdigest()
    twin = next((entry for entry in known.entries.values() if entry.sha256 == digest), None)
    if twin is not None:
        raise Misuse(f"{manifest}: {twin.name!r} is the same image")
    file = manifest.parent / RELEASES / f"{release.name}.bin"
    entry = {**{key: getattr(release, key) for key in Release.__slots__}, "sha256": digest, "file": file.name}
    Entry.checked(entry, str(manifest))
    listing = file.parent / "manifest.toml"
    before = read_text(listing) if is_there(listing) else "# Made by `rig firmware add`.\n"
    fresh = listing.with_suffix(".new")
    added = table("image", entry)
    make_folder(file.parent)
    write_user_file(file, data)
    write_user_file(fresh, f"{before}\n{added}".encode())
    with writing(listing):
        fresh.replace(listing)
    return file


def remove_release(manifest: Path, name: str) -> Path:
    """Take a release that was added out again, its file with it. Returns the file. Raises Misuse."""
    listing = manifest.parent / RELEASES / "manifest.toml"
    added = read_document(listing, Document, "the manifest").image if is_there(listing) else []
    entry = next((entry for entry in added if entry.name == name), None)
    own = read_document(manifest, Document, "the manifest")
    if entry is None:
        names = ", ".join(entry.name for entry in added) or "nothing"
        where = f"it is in {manifest.name} itself: take it out there" if name in _names(own) else f"added is {names}"
        raise Misuse(f"no release {name!r} was added beside {manifest}", hint=where)
    if name in {named for role_set in own.role_sets() for named in role_set.values()}:
        raise Misuse(f"{manifest} has a part for {name!r}", hint="give the part to another image first")
    before = read_text(listing)
    after = _without(before, name)
    try:
        left = Document.model_validate(tomllib.loads(after)).image
    except ValueError:
        left = []
    if left != [other for other in added if other is not entry]:
        raise Misuse(f"{listing} was changed by hand", hint=f"take {name!r} out there")
    fresh = listing.with_suffix(".new")
    write_user_file(fresh, after.encode())
    with writing(listing):
        fresh.replace(listing)
    assert entry.file is not None, "a release is a file"
    file = listing.parent / entry.file
    with writing(file):
        file.unlink(missing_ok=True)
    return file


def _names(document: Document) -> set[str]:
    return {entry.name for entry in document.image}


def _without(listing: str, name: str) -> str:
    """A listing without the block of one image, from its `[[image]]` up to the next."""
    head, *blocks = re.split(r"(?m)^(?=\[\[image\]\])", listing)
    return head + "".join(block for block in blocks if tomllib.loads(block)["image"][0].get("name") != name)


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
