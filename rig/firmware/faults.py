"""What is wrong with somebody's own images before any board is touched: of a file, and of how a role set fits together.

What a board takes its family knows; here is what holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rig.errors import Misuse
from rig.firmware.entries import BoardKind, Entry
from rig.firmware.expectations import Expectations
from rig.firmware.identification import APPLICATION, identify
from rig.firmware.image_rules import rules_of
from rig.firmware.manifest import Manifest
from rig.firmware.roles import TO_BE_REFUSED


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, with which image (or part of the manifest), and what to do."""

    name: str
    what: str
    hint: str = ""

    def to_dict(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.name}: {self.what}" + (f" (hint: {self.hint})" if self.hint else "")


def faults_of(known: Manifest) -> list[Fault]:
    """All that is wrong with what a manifest names itself; its fallback is not looked at."""
    unread = [fault for entry in known.entries.values() if (fault := _unread(known, entry))]
    if known.expectations_path is not None:
        try:
            Expectations.load(known.expectations_path)
        except Misuse as error:
            unread.append(Fault("expectations", error.message, error.hint or ""))
    if any(fault.name in known.entries for fault in unread):
        return unread  # what cannot be read fits nowhere either
    return [*unread, *_of_the_files(known), *_of_the_servers(known), *_of_the_role_sets(known)]


def room_of(known: Manifest, board: BoardKind) -> int | None:
    """Bytes that an application may have on boards of a kind; None where nothing tells."""
    return rules_of(board).room(known.roles(board) if known.has_roles(board) else {})


def _unread(known: Manifest, entry: Entry) -> Fault | None:
    try:
        known.image(entry.name)
    except Misuse as error:
        text = error.message.removeprefix(f"{known.path}: image {entry.name!r}").removeprefix(":").removeprefix(",")
        return Fault(entry.name, text.strip(), error.hint or "")
    return None


def _of_the_files(known: Manifest) -> Iterator[Fault]:
    parts = {part.name: {role.rpartition("/")[2] for role in part.roles} for part in known.parts()}
    for entry in known.entries.values():
        roles = parts.get(entry.name, set())
        if roles <= TO_BE_REFUSED and roles:
            continue
        image = known.image(entry.name)
        identified = identify(image.data)
        if (fault := rules_of(entry.board).fault_of_file(image, identified, roles)) is not None:
            yield fault
        elif (
            entry.version is not None
            and identified.what == APPLICATION
            and identified.version not in (None, entry.version)
        ):
            hint = "leave version out: the file tells it"
            yield Fault(entry.name, f"the manifest says version {entry.version}, the file {identified.version}", hint)


def _of_the_servers(known: Manifest) -> Iterator[Fault]:
    for entry in known.entries.values():
        if (fault := rules_of(entry.board).fault_of_servers(known.image(entry.name))) is not None:
            yield fault


def _of_the_role_sets(known: Manifest) -> Iterator[Fault]:
    for board in known.all_kinds():
        for variant in (None, *known.variants(board)):
            if known.names_role_set(board, variant):
                yield from _of_a_cast(known, board, variant)


def _of_a_cast(known: Manifest, board: BoardKind, variant: str | None) -> Iterator[Fault]:
    role_set = known.roles(board, variant)
    where = f"roles.{board}" if variant is None else f"variants.{board}.{variant}"
    if wrong := [role for role, image in role_set.items() if image.board != board]:
        yield Fault(where, f"{wrong[0]} is {role_set[wrong[0]].name}, which is for a {role_set[wrong[0]].board}")
        return
    old, new = role_set["old"], role_set["new"]
    if old.sha256 == new.sha256:
        yield Fault(where, f"old and new are the same image, {old.name}", "nobody could see an update")
    yield from rules_of(board).faults_of_roles(role_set, where)
