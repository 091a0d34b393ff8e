"""What Allure shows of a test besides its result: the place it ran on, the cut's line in the ledger, the timeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import allure

from rig.escape import terminal
from rig.evidence.timeline import Timeline


def report_place(name: str, tags: Mapping[str, str]) -> None:
    """Label the test with its place and what that place can do."""
    allure.dynamic.label("host", terminal(name))  # type: ignore[no-untyped-call]
    for key in ("board", "generation", "tier"):
        if key in tags:
            allure.dynamic.tag(terminal(f"{key}={tags[key]}"))  # type: ignore[no-untyped-call]


def report_known_defect(title: str, text: str, severity: str, reference: str) -> None:
    """Show that the test saw a known defect: its severity, what it is, and where more is said."""
    allure.dynamic.severity(severity)  # type: ignore[no-untyped-call]
    allure.dynamic.tag("known defect")  # type: ignore[no-untyped-call]
    allure.dynamic.description(terminal(f"Known defect: {title}\n\n{text}\n\n{reference}"))  # type: ignore[no-untyped-call]
    if reference.startswith(("https://", "http://")):
        allure.dynamic.issue(terminal(reference), terminal(title))  # type: ignore[no-untyped-call]


def report_title(title: str) -> None:
    """What people call the test; to be told when its set-up is over, which would overwrite it."""
    allure.dynamic.title(terminal(title))  # type: ignore[no-untyped-call]


def attach_cut(line: Mapping[str, Any]) -> None:
    """Attach a ledger line."""
    allure.attach(json.dumps(line, indent=1), name=f"cut {line['trial']}", attachment_type=allure.attachment_type.JSON)


def attach_timeline(timeline: Timeline) -> None:
    """Attach the timeline as people read it."""
    allure.attach(timeline.text(), name="timeline", attachment_type=allure.attachment_type.TEXT)


def attach_fault_report(text: str) -> None:
    """Attach what was done, expected and seen when a board was at fault."""
    allure.attach(text, name="what happened", attachment_type=allure.attachment_type.TEXT)
