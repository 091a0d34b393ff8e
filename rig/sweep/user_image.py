"""An image from a file that somebody names in place of one of the manifest's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rig.errors import Misuse
from rig.files import MOST_IMAGE, read_user_file
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Image
from rig.firmware.run_firmware import checked_firmware
from rig.sweep.capsule_line import begins


def images_for(kind: str, told: Mapping[str, str], manifest: Path | None, files: Iterable[Path]) -> list[Image]:
    """Images among which a capsule's are, that it tells by role: of a manifest, and of files that somebody brings.

    Raises Misuse.
    """
    known = checked_firmware(manifest).images_with(kind, begins(told))
    return [*known, *(user_image(kind, "image", file) for file in files)]


def user_image(kind: str, role: str, file: Path) -> Image:
    """The application in a file, as a board of this kind runs it; it is taken to run well. Raises Misuse."""
    rules, content = rules_of(kind), read_user_file(file, MOST_IMAGE)
    data = rules.release(content, file.name)
    told = rules.identify(data)
    if told is not None and told.board not in (None, kind):
        raise Misuse(f"{file} is {told.with_article}, which is not for a {kind}", hint=f"--{role} FILE")
    version = (told.version if told is not None else None) or "?"
    image = Image(file.name, kind, version, data, "ok", rules.details())
    return replace(image, name=f"{file.name} {image.sha256[:8]}")  # two files may have one name
