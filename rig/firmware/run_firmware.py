"""The firmware of a run: the rig's own manifest, or somebody's laid over it; and what of it a board may be given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from rig.errors import Misuse
from rig.files import real
from rig.firmware.checkout import manifest_path
from rig.firmware.entries import BoardKind
from rig.firmware.faults import Fault, faults_of
from rig.firmware.manifest import Image, Manifest

#: The tag of places whose boards run images that the rig makes itself: twins.
SYNTHETIC = "synthetic"
#: Manifests by the path that they were chosen by, where a process has prepared them for others.
_prepared: dict[Path | None, Manifest] = {}
#: What to do where a board is not given the rig's own images.
NAME_YOURS = f"name your images with --manifest, or tag a twin's place {SYNTHETIC}=yes"


def load_firmware(chosen: Path | None = None) -> Manifest:
    """The manifest that was chosen, filled in from the rig's own; that alone where none was. Raises Misuse."""
    ours, path = manifest_path(), manifest_path(chosen)
    known = Manifest.load(ours).with_fallback(None)
    return known if path == real(ours) or chosen is None else Manifest.load(path).with_fallback(known)


def checked_firmware(chosen: Path | None = None) -> Manifest:
    """The same, of which a board may be given something: Raises Misuse where something is wrong with it, too."""
    if chosen in _prepared:
        return _prepared[chosen]
    known = load_firmware(chosen)
    refuse_faults(known)
    return known


def prepare_firmware(chosen: Path | None, kind: BoardKind) -> Manifest:
    """The same, with the images of a kind of board made, and kept for processes that are forked afterwards."""
    known = _prepared[chosen] = checked_firmware(chosen)
    known.roles(kind)
    for image in known.images(kind):
        assert image.sha256, "every twin looks it up"
    return known


def all_faults(known: Manifest) -> list[Fault]:
    """All that is wrong with what somebody's manifest names."""
    return faults_of(known)


def refuse_faults(known: Manifest) -> None:
    """Raises Misuse for somebody's manifest in which something is wrong: no board is to find that out."""
    if known.fallback is not None and (faults := all_faults(known)):
        others = f", and {len(faults) - 1} more: `rig firmware check` tells all" if len(faults) > 1 else ""
        raise Misuse(f"{known.path}: {faults[0].name}: {faults[0].what}{others}", hint=faults[0].hint or None)


def refuse_synthetic(images: Iterable[Image], known: Manifest, tags: Mapping[str, str], place: str) -> None:
    """Raises Misuse where one of these images is the rig's noise, and the place is not one of a twin."""
    for image in images:
        if known.is_synthetic(image.name) and not may_fill_in(tags):
            text = f"{image.name} is noise of the rig's own, and {place} is no place of a twin"
            raise Misuse(text, hint=_mends(place))


def may_fill_in(tags: Mapping[str, str]) -> bool:
    """Whether a place's board may be given what nobody named: the rig's noise, which only twins run."""
    return tags.get(SYNTHETIC) == "yes"


def roles_on(
    known: Manifest, board: BoardKind, tags: Mapping[str, str], variant: str | None = None
) -> dict[str, Image]:
    """Which image plays which part on a board whose place has these tags. Raises Misuse."""
    return known.roles(board, variant) if may_fill_in(tags) else known.genuine_roles(board, variant)


def roles_with(
    needed: Collection[str], known: Manifest, board: BoardKind, tags: Mapping[str, str], place: str
) -> dict[str, Image]:
    """The same, with all that is needed among them. Raises Misuse."""
    roles = roles_on(known, board, tags)
    if lacking := set(needed) - set(roles):
        raise Misuse(f"{known.path.name} has no {', '.join(sorted(lacking))} image for {place}", hint=_mends(place))
    return roles


def _mends(place: str) -> str:
    return f"{NAME_YOURS}: `labgrid-client -p {place} set-tags {SYNTHETIC}=yes`"
