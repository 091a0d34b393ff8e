"""What JSON of a stranger's must look like for us to rely on it: fields, and what they are.

A shape is a type, None, a tuple of shapes (any of them), a list of one shape (of all its entries), a mapping of names
to shapes (fields that must be there; others may be), or a mapping of `...` to a shape (of each value, whatever its
name).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = Any
#: Numbers, whole or not.
NUMBER: Shape = (int, float)
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", None: "null"}


def misfit(value: Any, shape: Shape, where: str = "") -> str | None:
    """The first thing that does not fit, in words such as `cores.0.since is no number`; None where all does."""
    if isinstance(shape, tuple):
        return None if any(misfit(value, one) is None for one in shape) else _no(where, shape)
    if isinstance(shape, list | Mapping):
        kind = list if isinstance(shape, list) else dict
        if not isinstance(value, kind):
            return f"{where or 'it'} is no {'list' if kind is list else 'object'}"
        return next(
            (found for name, part, one in _parts(value, shape) if (found := _look(where, name, part, one))), None
        )
    fits = value is None if shape is None else isinstance(value, shape) and (shape is bool or type(value) is not bool)
    return None if fits or shape is object else _no(where, (shape,))


def _parts(value: Any, shape: Shape) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and shape of each part; `...` for one that is missing."""
    if isinstance(shape, list):
        yield from ((str(number), part, shape[0]) for number, part in enumerate(value))
    elif ... in shape:
        yield from ((name, part, shape[...]) for name, part in value.items())
    else:
        yield from ((name, value.get(name, ...), one) for name, one in shape.items())


def _look(where: str, name: str, part: Any, shape: Shape) -> str | None:
    inside = f"{where}.{name}" if where else name
    return f"{inside} is missing" if part is ... else misfit(part, shape, inside)


def _no(where: str, shapes: tuple[Any, ...]) -> str:
    return f"{where or 'it'} is no {' or '.join(dict.fromkeys(_WORDS.get(one, 'such thing') for one in shapes))}"
