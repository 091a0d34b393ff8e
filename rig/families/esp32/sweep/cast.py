"""Which image plays which part on a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rig.firmware.manifest import Image

Images = Mapping[str, Image]
Cast = Callable[[Images], Images]


def as_named(images: Images) -> Images:
    """Each plays the part that the manifest has it for."""
    return images


def with_factory(images: Images) -> Images:
    """The table has a factory application, which is what was released before."""
    rest = {role: image for role, image in images.items() if role not in ("other_table", "previous")}
    return {**rest, "table": images["other_table"], "factory": images["previous"]}


def unconfirmed(images: Images) -> Images:
    """What was released before does not confirm itself."""
    return {**images, "previous": replace(images["previous"], runs="never-confirms")}
