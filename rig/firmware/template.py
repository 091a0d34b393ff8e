"""A first manifest of one's own: small, commented, and right as soon as its files are there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rig import registry
from rig.errors import Misuse
from rig.escape import one_line
from rig.files import MOST_IMAGE, is_there, read_user_file
from rig.firmware.document import value
from rig.firmware.identification import APPLICATION, identify
from rig.firmware.image_rules import rules_of

_HEAD = """\
# Your firmware. Check it with `rig firmware check {name}`, run it with `rig run --manifest {name}`.
# What is not named here (other boards, other parts) comes from the rig's own manifest.
"""
_ROLES = """
# Which image plays which part. Every test starts from old; new is the update. There are more parts, such as previous
# and crashing: firmware-fixtures/README.md tells all.
[roles.{board}]
old = "{old}"
new = "{new}"
"""


@dataclass(frozen=True, slots=True)
class Start:
    """One image of a first manifest: what it is called, and its file, which need not be there yet."""

    role: str
    file: Path


def first_manifest(path: Path, board: str | None, old: Path | None, new: Path | None) -> str:
    """The text of a manifest that will lie at `path`.

    The kind of board is what the files tell, where they are there, else the first that is known. Raises Misuse for
    files that are no applications, or for two kinds.
    """
    starts = [Start("old", old or Path("old.bin")), Start("new", new or Path("new.bin"))]
    kinds = {_kind_for(one.file) for one in starts if is_there(one.file)} | ({board} if board is not None else set())
    if len(kinds) > 1:
        raise Misuse(f"these are for {' and '.join(sorted(kinds))}", hint="a role set is for one kind of board")
    kind = next(iter(kinds), registry.kinds()[0])
    prefix = rules_of(kind).example.prefix
    entries = [_entry(one, f"{prefix}-my-{one.role}", kind, path) for one in starts]
    roles = _ROLES.format(board=kind, old=f"{prefix}-my-old", new=f"{prefix}-my-new")
    return "".join([_HEAD.format(name=one_line(path.name)), roles, *entries])


def _kind_for(file: Path) -> str:
    """The kind of board a file is for. Raises Misuse."""
    identified = identify(read_user_file(file, MOST_IMAGE))
    if identified.what != APPLICATION:
        raise Misuse(
            f"{file} is {identified.with_article}, not an application", hint="name the .bin file of an application"
        )
    if identified.board is None:
        hint = f"boards here are {' and '.join(f'{registry.family(kind).title}s' for kind in registry.kinds())}"
        raise Misuse(f"{file} is {identified.with_article}, and no board here has that chip", hint=hint)
    return identified.board


def _entry(start: Start, name: str, board: str, manifest: Path) -> str:
    file = _from(start.file, manifest)
    example = rules_of(board).example
    lines = [f'\n[[image]]\nname = "{name}"\nboard = "{board}"\nfile = {value(file, "file")}\n']
    lines.append(example.version.get(start.role, ""))
    if is_there(start.file):
        digest = hashlib.sha256(read_user_file(start.file, MOST_IMAGE)).hexdigest()
        lines.append(f'# Refuse any other file; without this line it is taken as it is found.\n#sha256 = "{digest}"\n')
    return "".join([*lines, example.more])


def _from(file: Path, manifest: Path) -> str:
    """The name of a file as it is written in the manifest: from its folder where it lies there or below."""
    whole, folder = file.absolute(), manifest.absolute().parent
    if not is_there(file):
        return str(file)
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)
