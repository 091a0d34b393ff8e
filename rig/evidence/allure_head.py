"""What Allure shows of a run as a whole: its environment, its title, and faults sorted by whose they are.

Written when a run begins, so that one that is killed has it too, and again when it ends.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rig.escape import one_line, terminal
from rig.evidence import report_head
from rig.evidence.run_record import RunRecord
from rig.files import is_there, make_folder, read_text, writing

FOLDER = "allure-results"
_DEVICE, _MISUSE = r"(rig\.errors\.)?DeviceFault\b", r"(rig\.errors\.)?Misuse\b"
#: An assertion is the device's fault, and so is what says so itself; what is broken and says nothing is the lab's.
CATEGORIES: list[dict[str, Any]] = [
    {"name": "Device fault", "matchedStatuses": ["failed"]},
    {"name": "Device fault", "matchedStatuses": ["broken"], "messageRegex": rf"(?s){_DEVICE}.*"},
    {"name": "Misuse", "matchedStatuses": ["broken"], "messageRegex": rf"(?s){_MISUSE}.*"},
    {"name": "Lab fault", "matchedStatuses": ["broken"], "messageRegex": rf"(?s)(?!{_DEVICE}|{_MISUSE}).*"},
    {"name": "Not run here", "matchedStatuses": ["skipped"]},
]


def write_allure_head(folder: Path, record: RunRecord, *, over_others: bool = True) -> None:
    """Write `environment.properties`, `categories.json` and `executor.json`. Raises Misuse, LabFault.

    Not `over_others`, those that somebody else wrote stay as they are.
    """
    results = make_folder(folder)
    title = one_line(record.title)
    executor = {
        "name": f"ota-rig {record.identity.rig}",
        "type": "ota-rig",
        "buildName": title,
        "reportName": title,
    }
    files = {
        "environment.properties": _environment(record, title),
        "categories.json": json.dumps(CATEGORIES, indent=1) + "\n",
        "executor.json": json.dumps(executor, indent=1) + "\n",
    }
    for name, content in files.items():
        if not over_others and is_there(results / name) and not _is_ours(results / name):
            continue
        with writing(results / name):
            (results / name).write_text(content, encoding="ascii")


def _is_ours(path: Path) -> bool:
    """Whether a file says what we write: another run's may be written over."""
    text = read_text(path)
    ours = {"environment.properties": "title=", "executor.json": '{\n "name": "ota-rig'}
    return text.startswith(ours.get(path.name, json.dumps(CATEGORIES, indent=1)))


def _environment(record: RunRecord, title: str) -> str:
    values = {"title": title, **report_head.head(record)}
    values |= {f"firmware.{name}": value for name, value in report_head.firmware(record).items()}
    return "".join(f"{_key(name)}={_value(value)}\n" for name, value in values.items())


def _key(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)


def _value(text: str) -> str:
    r"""As Java reads a property: ASCII, and other letters as `\u00e9`."""
    units = terminal(one_line(text)).replace("\\", "\\\\").encode("utf-16-be")
    numbers = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(number) if 0x20 <= number < 0x7F else f"\\u{number:04x}" for number in numbers)
