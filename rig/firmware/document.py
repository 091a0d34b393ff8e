"""A TOML file that people write, read safely and checked against a model: what is wrong is said with file and field.

Tables that the rig adds to one are written here, too.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, model_validator

from rig.errors import Misuse
from rig.files import read_text

Model = TypeVar("Model", bound=BaseModel)
#: What an entry of a list is called by.
OWNERS = ("name", "file")


class ByContent(BaseModel):
    """A model whose fields depend on what is there: what one says may be another model's to check."""

    @classmethod
    def model_for(cls, content: object) -> type[Self]:
        """The model that checks this content: this one, or one on it."""
        return cls

    @model_validator(mode="wrap")
    @classmethod
    def _by_its_model(cls, content: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        model = cls.model_for(content)
        return check(content) if issubclass(cls, model) else model.model_validate(content)


def read_document(path: Path, model: type[Model], what: str) -> Model:
    """The document in `path`; `what` is how people call it. Raises Misuse."""
    try:
        text = read_text(path)
    except Misuse as error:
        raise Misuse(error.message.replace("cannot read", f"cannot read {what}", 1), hint=error.hint) from error
    try:
        content = tomllib.loads(text)
        return model.model_validate(content)
    except RecursionError as error:
        raise Misuse(f"{path} is nested too deeply to be {what}") from error
    except ValidationError as error:
        raise wrong_field(path, error, model, content) from error
    except ValueError as error:  # TOMLDecodeError, and a number of thousands of digits
        raise Misuse(f"{path} is not TOML: {error}") from error


def wrong_field(
    source: object, error: ValidationError, model: type[BaseModel] | None = None, content: object = None
) -> Misuse:
    """The first field that is wrong, named, and whose it is where `content`, which was checked, names that.

    Of one that there is not, the nearest that `model` has is the hint.
    """
    first = error.errors()[0]
    where = first["loc"]
    field = ".".join(str(part) for part in where)
    owner = _owner(content, where)
    prefix = f"{source}: {field}{f' of {owner}' if owner else ''}{': ' if field else ''}"
    if first["type"] != "extra_forbidden":
        return Misuse(f"{prefix}{first['msg'].removeprefix('Value error, ')}")
    known = _fields_at(model, where[:-1], content)
    return Misuse(f"{prefix}there is no such field", hint=_nearest(str(where[-1]), known))


def _owner(content: object, where: Sequence[int | str]) -> str:
    """What the innermost entry of a list on the way is called: its name, else its file."""
    owner = ""
    for step in where:
        content = _at(content, step)
        if isinstance(step, int) and isinstance(content, dict):
            named = next((content[key] for key in OWNERS if isinstance(content.get(key), str)), None)
            owner = repr(named) if named is not None else ""
    return owner


def _at(content: object, step: int | str) -> object:
    """What is there in a table or list; None where nothing is."""
    try:
        return content[step]  # type: ignore[index]
    except (LookupError, TypeError):
        return None


def _nearest(name: str, known: Sequence[str]) -> str | None:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"did you mean {near[0]}?"
    return f"fields are {', '.join(known)}" if known else None


def _fields_at(model: type[BaseModel] | None, where: Sequence[int | str], content: object = None) -> list[str]:
    """The fields of what stands at a place in a document with this content; of a choice those of each."""
    annotation: Any = model
    for step in where:
        annotation = _fields_of(annotation, content).get(str(step), annotation)
        content = _at(content, step)
    return list(_fields_of(annotation, content))


def _fields_of(annotation: Any, content: object) -> dict[str, Any]:
    """The fields, and of which type each is, of the models in a type: in its lists, its tables, its choices."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        model = annotation.model_for(content) if issubclass(annotation, ByContent) else annotation
        return {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    return {name: of for part in get_args(annotation) for name, of in _fields_of(part, content).items()}


def table(name: str, fields: Mapping[str, object]) -> str:
    """A table `[[name]]` of TOML. Raises Misuse for text that no TOML file can hold."""
    return f"[[{name}]]\n" + "".join(f"{key} = {value(it, key)}\n" for key, it in fields.items())


def value(it: object, what: str) -> str:
    """A value as TOML writes it: text, numbers, truth and lists as JSON has them. `what` is how people know it.

    Raises Misuse for text with bytes that are not UTF-8, as a file's name may have.
    """
    written = json.dumps(it, ensure_ascii=False).replace("\x7f", "\\u007f")
    if any("\ud800" <= letter <= "\udfff" for letter in written):
        raise Misuse(f"{what} = {written}: no TOML file can hold a name that is not UTF-8", hint="rename it")
    return written
