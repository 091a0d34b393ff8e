"""A TOML file that people write, read safely and checked against a model: what is wrong is said with file and field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rig.errors import Misuse

Model = TypeVar("Model", bound=BaseModel)


def read_document(path: Path, model: type[Model], what: str) -> Model:
    """The document in `path`; `what` is how people call it. Raises Misuse."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"cannot read {what} {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise Misuse(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise wrong_field(path, error) from error


def wrong_field(source: object, error: ValidationError) -> Misuse:
    """The first field that is wrong, named."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return Misuse(f"{source}: {field + ': ' if field else ''}{first['msg']}")
