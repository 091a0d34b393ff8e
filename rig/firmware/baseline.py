"""A baseline: what a firmware became in a run, written as the expectations of its next runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rig.errors import Misuse
from rig.files import is_folder, is_there, write_user_file, writing
from rig.firmware.document import table, wrong_field
from rig.firmware.expectations import Expected, KnownDefect, Situation
from rig.firmware.outcomes import BY_ITSELF, Became, Wanted, worst

#: The generation of boards that have none.
NO_GENERATION = "unknown"


@dataclass(frozen=True, slots=True)
class Observation:
    """What became of a board in a situation, what was wanted of it, and the known defect that this is.

    `own` where the case is one of somebody's own tests.
    """

    situation: Situation
    became: Became
    wanted: Wanted = "new"
    defect: str | None = None
    own: bool = False


def refuse_to_overwrite(path: Path, *, replace: bool) -> None:
    """Say before a run that its baseline cannot be written. Raises Misuse."""
    if is_folder(path) or not is_folder(path.absolute().parent):
        raise Misuse(f"cannot write {path}", hint="name a file in a folder that is there")
    if is_there(path) and not replace:
        raise Misuse(f"{path} is there already", hint="--replace writes it anew")


def write_baseline(
    path: Path, seen: Iterable[Observation], defects: Mapping[str, KnownDefect], remark: str, *, replace: bool = False
) -> int:
    """Write what was seen, whole or not at all; returns how many situations that is. Raises Misuse, LabFault."""
    refuse_to_overwrite(path, replace=replace)
    kept = sorted(
        _worst_of_each(seen), key=lambda each: (each.situation.board, each.situation.path, each.situation.case)
    )
    entries = [_entry(path, each) for each in kept]
    named = sorted({entry.defect for entry in entries if entry.defect is not None})
    blocks = [
        f"# {remark}\n",
        *map(_expect, entries),
        *(_table("defect", defects[name].model_dump()) for name in named),
    ]
    fresh = _beside(path)
    write_user_file(fresh, "\n".join(blocks).encode())
    with writing(path):
        fresh.replace(path)
    return len(entries)


def _beside(path: Path) -> Path:
    """Where the file is written before it takes its place."""
    return path.with_name(f"{path.name}.new")


def _worst_of_each(seen: Iterable[Observation]) -> list[Observation]:
    """One observation for each situation: the worst, so that the next run is no worse for having luck in another."""
    kept: dict[Situation, Observation] = {}
    for each in seen:
        before = kept.get(each.situation)
        if before is None or worst(before.became, each.became, each.wanted) is not before.became:
            kept[each.situation] = each
    return list(kept.values())


def _entry(path: Path, seen: Observation) -> Expected:
    """As an entry of the file; whatever came back by itself may do so sooner or later. Raises Misuse."""
    where, rung = seen.situation, seen.became.rung
    fields: dict[str, object] = {"board": where.board, "path": where.path, "case": where.case, "own": seen.own}
    fields |= {"generation": where.generation} if where.generation != NO_GENERATION else {}
    fields |= {"variant": where.variant, "outcome": seen.became.name, "defect": seen.defect}
    fields |= {"rung": rung} if rung not in BY_ITSELF else {}
    try:
        return Expected.model_validate(fields)
    except ValidationError as error:
        raise wrong_field(path, error) from error


def _expect(entry: Expected) -> str:
    return _table("expect", entry.model_dump(exclude_none=True, exclude_defaults=True))


def _table(name: str, fields: Mapping[str, object]) -> str:
    return table(name, {key: _one(value) for key, value in fields.items()})


def _one(value: object) -> object:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
