"""labgrid environments that people name: whether a file is one, before anything is started for it."""

from __future__ import annotations

import os
from pathlib import Path

from rig.errors import Misuse
from rig.files import is_there, read_user_file, real

#: Nobody has so many places; YAML takes a second a megabyte.
MOST_ENVIRONMENT = 1 << 20


def rack_environment(path: Path) -> Path:
    """The whole path of an environment named with `--rack`; what its targets need is not looked at. Raises Misuse."""
    from labgrid.util import yaml as labgrid_yaml

    if not is_there(path):
        raise Misuse(
            f"--rack {path}: no such file", hint="`virtual`, or a labgrid environment such as places/virtual.yaml"
        )
    content = read_user_file(path, MOST_ENVIRONMENT)
    try:
        document = labgrid_yaml.load(content)
    except RecursionError as error:
        raise Misuse(f"--rack {path} is no labgrid environment: it is nested too deeply") from error
    except (ValueError, TypeError, LookupError, AttributeError, labgrid_yaml.yaml.YAMLError) as error:
        raise Misuse(f"--rack {path} is no labgrid environment: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not isinstance(document.get("targets"), dict):
        raise Misuse(f"--rack {path} is no labgrid environment: it has no targets", hint="as places/virtual.yaml has")
    return real(path)


def own_environment(path: str) -> None:
    """Look at the environment of an engineer's own board, as labgrid will. Raises Misuse."""
    from labgrid import Environment

    from rig.lab.targets import WRONG_ENVIRONMENT

    try:
        Environment(config_file=path)
    except WRONG_ENVIRONMENT as error:
        text = " ".join(str(error).split())
        if "LG_PLACE" in text and not os.environ.get("LG_PLACE"):
            raise Misuse(f"{path} is for the place in LG_PLACE, which is not set", hint="LG_PLACE=NAME") from error
        raise Misuse(f"{path} is no labgrid environment: {text}", hint="--lg-env FILE") from error
