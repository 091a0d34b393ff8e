"""The cut maps of a run: one for each tier, kind of board, path and firmware; no two are ever on one picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rig import registry
from rig.errors import RigError
from rig.evidence.cut_map import draw_cut_map
from rig.evidence.testbed import HARDWARE, VIRTUAL_TIERS
from rig.evidence.update_path import UpdatePath
from rig.files import writing

Line = Mapping[str, Any]


class Image(NamedTuple):
    """An image as a ledger names it: one with the same name and other bytes is another."""

    name: str
    sha256: str

    @classmethod
    def of(cls, cut: Line, end: str) -> Image:
        """That of the `from` or `to` end of a cut."""
        return cls(str(cut.get(f"{end}_name") or "unnamed"), str(cut.get(end) or "unknown"))

    def __str__(self) -> str:
        return f"{self.name} ({self.sha256[:8]})"


class Subject(NamedTuple):
    """What the cuts of one map have in common: whatever could change where a cut falls, or what it does."""

    tier: str
    board: str
    #: Empty for boards that have none.
    generation: str
    path: str
    #: The variant of the manifest that the board was laid with; empty for its roles.
    variant: str
    old: Image
    new: Image

    @classmethod
    def of(cls, cut: Line) -> Subject:
        """That of a `cut` line of a ledger."""
        generation = str(cut["generation"])
        return cls(
            tier=str(cut.get("tier", "unknown")),
            board=str(cut["board"]),
            generation="" if generation == "unknown" else generation,
            path=str(cut["path"]),
            variant=str(cut.get("variant") or ""),
            old=Image.of(cut, "from"),
            new=Image.of(cut, "to"),
        )

    @property
    def title(self) -> str:
        """As the picture has it: what is no hardware says so first."""
        known = {HARDWARE: "HARDWARE"} | {tier: f"VIRTUAL ({tier})" for tier in VIRTUAL_TIERS}
        board = f"{self.board} generation {self.generation.upper()}" if self.generation else self.board
        variant = f" with firmware {self.variant}" if self.variant else ""
        return f"{known.get(self.tier, 'UNKNOWN TIER')}: {board}{variant}, cuts over {self.path}"

    @property
    def images(self) -> str:
        """From which image to which."""
        return f"{self.old} → {self.new}"

    @property
    def file(self) -> str:
        """A name for its file, without an ending; two subjects may have it in common."""
        words = (self.board, self.generation, self.path, self.variant, self.old.name, "to", self.new.name, self.tier)
        return re.sub(r"[^\w.-]+", "-", f"cut-map-{'-'.join(filter(None, words))}", flags=re.ASCII)


def by_subject(lines: Iterable[Line]) -> dict[Subject, list[Line]]:
    """The cuts among a ledger's lines, by the map they belong on."""
    found: dict[Subject, list[Line]] = {}
    for line in lines:
        if line["kind"] == "cut":
            found.setdefault(Subject.of(line), []).append(line)
    return dict(sorted(found.items()))


class Maps(NamedTuple):
    """The maps of a run: their files, and a line for each that could not be drawn, with the reason."""

    files: list[Path]
    left_out: list[str]


def draw_maps(folder: Path, lines: Iterable[Line]) -> Maps:
    """Draw all maps of a ledger's lines. Raises Misuse, LabFault where a file cannot be written.

    What nobody here can draw is left out: a ledger may come from where other boards are known.
    """
    maps = Maps([], [])
    for subject, cuts in by_subject(lines).items():
        path = _path_of(subject)
        if isinstance(path, str):
            maps.left_out.append(f"no cut map of {subject.board} over {subject.path}: {path}")
            continue
        target = folder / f"{subject.file}.svg"
        if target in maps.files:
            target = folder / f"{subject.file}-{subject.new.sha256[:8]}-{len(maps.files)}.svg"
        with writing(target):
            target.write_text(draw_cut_map(cuts, path, subject.title, subject.images), encoding="utf-8")
        maps.files.append(target)
    return maps


def _path_of(subject: Subject) -> UpdatePath | str:
    """The path as its family describes it, or why there is none."""
    if not registry.is_kind(subject.board):
        return "no boards of this kind are installed"
    try:
        path: UpdatePath | None = registry.family(subject.board).update_paths.get(subject.path)
    except RigError as error:
        return error.message
    return path if path is not None else "its boards have no such update path"
