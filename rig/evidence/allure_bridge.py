"""What Allure shows of a test besides its result: the place it ran on, the cut's line in the ledger, the timeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import allure

from rig.escape import terminal
from rig.evidence.timeline import Timeline


def tell_place(name: str, tags: Mapping[str, str]) -> None:
    """Label the test with its place and what that place can do."""
    allure.dynamic.label("host", terminal(name))  # type: ignore[no-untyped-call]
    for key in ("board", "generation", "tier"):
        if key in tags:
            allure.dynamic.tag(terminal(f"{key}={tags[key]}"))  # type: ignore[no-untyped-call]


def attach_cut(line: Mapping[str, Any]) -> None:
    """Attach a ledger line."""
    allure.attach(json.dumps(line, indent=1), name=f"cut {line['trial']}", attachment_type=allure.attachment_type.JSON)


def attach_timeline(timeline: Timeline) -> None:
    """Attach the timeline as people read it."""
    allure.attach(timeline.text(), name="timeline", attachment_type=allure.attachment_type.TEXT)
