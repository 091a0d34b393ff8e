"""labgrid environments that people name: whether a file is one, before anything is started for it."""

from __future__ import annotations

from pathlib import Path

from rig.errors import Misuse


def rack_environment(path: Path) -> Path:
    """The whole path of an environment named with `--rack`; what its targets need is not looked at. Raises Misuse."""
    from labgrid.util import yaml as labgrid_yaml

    if not path.is_file():
        raise Misuse(
            f"--rack {path}: no such file", hint="`virtual`, or a labgrid environment such as places/virtual.yaml"
        )
    try:
        with path.open(encoding="utf-8") as file:
            document = labgrid_yaml.load(file)
    except (OSError, ValueError, labgrid_yaml.yaml.YAMLError) as error:
        raise Misuse(f"--rack {path} is no labgrid environment: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not isinstance(document.get("targets"), dict):
        raise Misuse(f"--rack {path} is no labgrid environment: it has no targets", hint="as places/virtual.yaml has")
    return path.resolve()
