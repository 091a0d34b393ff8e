"""A TOML file that people write, read safely and checked against a model: what is wrong is said with file and field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rig.errors import Misuse
from rig.files import read_text

Model = TypeVar("Model", bound=BaseModel)


def read_document(path: Path, model: type[Model], what: str) -> Model:
    """The document in `path`; `what` is how people call it. Raises Misuse."""
    try:
        text = read_text(path)
    except Misuse as error:
        raise Misuse(error.message.replace("cannot read", f"cannot read {what}", 1), hint=error.hint) from error
    try:
        return model.model_validate(tomllib.loads(text))
    except RecursionError as error:
        raise Misuse(f"{path} is nested too deeply to be {what}") from error
    except ValidationError as error:
        raise wrong_field(path, error) from error
    except ValueError as error:  # TOMLDecodeError, and a number of thousands of digits
        raise Misuse(f"{path} is not TOML: {error}") from error


def wrong_field(source: object, error: ValidationError) -> Misuse:
    """The first field that is wrong, named."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return Misuse(f"{source}: {field + ': ' if field else ''}{first['msg']}")
