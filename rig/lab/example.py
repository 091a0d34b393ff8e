"""A lab's files, written for a technician to start from: exporter, places, environments, and what to do with them.

Every kind of board has a place in it, with the addresses of a lab that is nobody's until somebody fills in their own.
What a kind's place offers stands in its own module; here is how that becomes files.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rig.errors import Misuse
from rig.family.place import PlaceDescription, Values
from rig.files import is_there, make_folder, write_user_file

#: Text that YAML takes as it is: neither a number nor a word of its own, and nothing that Jinja would look at.
_PLAIN = re.compile(r"(?!(?:true|false|yes|no|on|off|null)\Z)[A-Za-z][\w./:-]*", re.ASCII)


def write_example(folder: Path, examples: Sequence[PlaceDescription], assignments: Iterable[str]) -> list[Path]:
    """Write a lab's files into a folder, with settings as `NAME=VALUE`; returns their names, the guide first.

    Raises Misuse for a setting that is none, and where one of the files is there already: then nothing is written.
    """
    values = _settings(examples, assignments)
    files = {folder / name: text for name, text in _files(examples, values).items()}
    for path in files:
        if is_there(path):
            raise Misuse(f"{path} is there already", hint="nothing was written; name another folder, or move it away")
    make_folder(folder)
    for path, text in files.items():
        write_user_file(path, text.encode())
    return list(files)


def write_environments(folder: Path, examples: Sequence[PlaceDescription]) -> Path:
    """Write how the rig reaches boards of these kinds into a folder; returns the environment that is named to commands.

    Raises Misuse, LabFault where it cannot be written.
    """
    names = _environments(examples)
    for example, name in zip(examples, names, strict=False):
        write_user_file(folder / name, _environment(example).encode())
    return folder / names[0]


def _settings(examples: Sequence[PlaceDescription], assignments: Iterable[str]) -> dict[str, str]:
    """All settings, as told or as in the example. Raises Misuse."""
    known = {name: setting for example in examples for name, setting in example.settings.items()}
    values = {name: setting.example for name, setting in known.items()}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            names = ", ".join(f"{name} ({setting.what})" for name, setting in known.items())
            raise Misuse(f"--set {text}: no such setting", hint=f"NAME=VALUE, where NAME is one of {names}")
        known[name].check(value, f"--set {name}")
        values[name] = value
    return values


def _files(examples: Sequence[PlaceDescription], values: Values) -> dict[str, str]:
    names = dict(zip((example.kind for example in examples), _environments(examples), strict=True))
    return {
        "README.md": _guide(examples, names),
        "exporter.yaml": _exporter(examples, values),
        "places.sh": _places(examples, values),
        **{names[example.kind]: _environment(example) for example in examples},
    }


def _environments(examples: Sequence[PlaceDescription]) -> list[str]:
    """Names of their files: `lab.yaml` is the one that is named to commands, others are found beside it by kind."""
    return ["lab.yaml", *(f"lab-{example.kind}.yaml" for example in examples[1:])]


def _exporter(examples: Sequence[PlaceDescription], values: Values) -> str:
    lines = [
        "## What the machine beside the boards offers: labgrid-exporter -c COORDINATOR exporter.yaml",
        "## labgrid reads this file as a template: a comment begins with two signs.",
    ]
    channels = 0
    for example in examples:
        offers = example.offers(values, channels)
        channels += sum(offer.fields["cls"] == "ModbusTCPCoil" for offer in offers)
        lines += ["", f"{example.place}:"]
        for offer in offers:
            lines += [f"  ## {offer.what}", f"  {offer.name}:"]
            lines += [f"    {key}: {scalar(value)}" for key, value in offer.fields.items()]
    return "\n".join(lines) + "\n"


def _places(examples: Sequence[PlaceDescription], values: Values) -> str:
    lines = [
        "#!/bin/sh -e",
        "# Makes the places, once, at the coordinator that LG_COORDINATOR names.",
        "# What a tag means: places/README.md of ota-rig. `set-tags NAME=` takes one away.",
    ]
    for example in examples:
        client = f"labgrid-client -p {example.place}"
        tags = " ".join(shlex.quote(f"{name}={value}") for name, value in example.tags(values).items())
        lines += ["", f"{client} create", f"{client} add-match '*/{example.place}/*'", f"{client} set-tags {tags}"]
    return "\n".join(lines) + "\n"


def _environment(example: PlaceDescription) -> str:
    lines = [
        f"# labgrid's environment of places with board={example.kind}. LG_PLACE is the place: the rig fills it in.",
        "targets:",
        "  main:",
        "    resources:",
        "      RemotePlace:",
        '        name: !template "$LG_PLACE"',
        "    drivers:",
    ]
    for driver in example.drivers:
        lines += [f"    # {driver.what}", f"    - {driver.cls}:"]
        options = {"name": driver.name, "bindings": driver.bindings}
        lines += [f"        {key}: {scalar(value)}" for key, value in options.items()]
    modules = sorted({driver.module for driver in example.drivers})
    return "\n".join([*lines, "imports:", *(f"- {module}" for module in modules)]) + "\n"


def _guide(examples: Sequence[PlaceDescription], names: Mapping[str, str]) -> str:
    kinds = "\n".join(f"* `{names[example.kind]}`: how the rig reaches a board={example.kind}" for example in examples)
    first = examples[0].place
    return f"""# A lab, to start from

* `exporter.yaml`: what the machine beside the boards offers, with the addresses of relay, USB and serial port
* `places.sh`: the places at the coordinator, and what their boards can do, as tags
{kinds}

Put your addresses into `exporter.yaml` and what your boards are into `places.sh`. Leave out what a place has not:
without a cloud, a console or a button the environments stay as they are. Then, each in a shell of its own:

```sh
labgrid-coordinator
labgrid-exporter -c 127.0.0.1:20408 exporter.yaml
```

and in a third one, in which the rig is installed:

```sh
export LG_COORDINATOR=127.0.0.1:20408
sh places.sh
rig lab health --rack lab.yaml
labgrid-client -p {first} acquire
labgrid-client -p {first} power cycle
labgrid-client -p {first} release
rig run --rack lab.yaml --manifest firmware.toml -k 'dfu or serial'
```

`firmware.toml` names your images: `rig firmware init` writes it. The rig's own are noise, which no real board is given.

The tag `tier` of `places.sh` is your word for what the boards are: `hardware` for real ones (`--set tier=hardware` when
these files are written). Until you say it, reports speak of boards of UNKNOWN tier.

`rig lab health` names each exporter and relay that does not answer. A relay without Modbus: in the environment name
labgrid's driver for it in place of RelayDriver, and call it `power`; places/README.md of ota-rig says what that costs.
"""


def scalar(value: object) -> str:
    """A value in YAML: as it is where it is plain text, else as JSON, which is YAML as well."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not value.endswith(":"):
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {scalar(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)
