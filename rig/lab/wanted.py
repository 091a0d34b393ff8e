"""What one asks of a rack: a kind of board with its place's tags, and which of these are rare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rig.family.tags import Choice
from rig.lab.place_tags import tag_rules

#: A board by its kind and its place's tags.
Wanted = tuple[str, Mapping[str, str]]


def rare_tags(kind: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a board's `tags` of which racks have few boards of its kind."""
    few = {name: rule.rare for name, rule in tag_rules(kind).items() if isinstance(rule, Choice)}
    return {name: tags[name] for name, values in few.items() if tags.get(name) in values}


def rare(kind: str, tags: Mapping[str, str]) -> str:
    """The rare ones among `tags`, with the generation, as one text; empty for what there is one of for each worker."""
    found = [f"{tag}={value}" for tag, value in rare_tags(kind, tags).items()]
    return ",".join([*found, tags.get("generation", "")]) if found else ""


def missing_tags(kind: str, tags: Mapping[str, str], places: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """What the most fitting of `places`, given by their tags, lacks for such a board; nothing where one has all."""
    of_kind = [place for place in places if place.get("board") == kind]
    if not of_kind:
        return (f"board={kind}",)
    return min(
        (tuple(f"{tag}={value}" for tag, value in tags.items() if place.get(tag) != value) for place in of_kind),
        key=len,
    )
