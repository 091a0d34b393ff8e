"""An entry of the manifest, filled in by what its file tells: its version, and what its family finds in it.

What the manifest says wins. Images that a recipe makes are as the manifest says: a recipe is no build of anything.
"""

from __future__ import annotations

from pathlib import Path

from rig.errors import Misuse
from rig.firmware.entries import Entry
from rig.firmware.identification import APPLICATION, identify
from rig.firmware.image_rules import Details, rules_of


def filled_in_from_file(entry: Entry, data: bytes, manifest: Path) -> tuple[str, Details]:
    """Version and details, with all that `data` tells and the entry does not say. Raises Misuse for what is nowhere."""
    if entry.recipe is not None:
        assert entry.version is not None, "a recipe needs one"
        return entry.version, entry.details
    identified = identify(data)
    version = entry.version or identified.version or (None if identified.what == APPLICATION else identified.what)
    source = f"{manifest}: image {entry.name!r}"
    if version is None:
        raise Misuse(f"{source} has no version, and its file tells none", hint='version = "0.2.1" in its entry')
    return version, rules_of(entry.board).fill_in(entry.details, identified, source)
