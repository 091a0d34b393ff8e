"""`junit.xml`: what pytest wrote of a run gets the report's head; a run that was killed gets one from its results."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from rig.escape import terminal
from rig.evidence import report_head
from rig.evidence.results import DEVICE_FAULT, NOT_RUN, PASSED, TestResult
from rig.evidence.run_record import RunRecord
from rig.files import is_there, writing

NAME = "junit.xml"


def write_junit(folder: Path, record: RunRecord) -> Path:
    """Put the head into `junit.xml`, which is made where it is missing or torn. Raises Misuse, LabFault."""
    path = folder / NAME
    suites = _read(path)
    if suites is None:
        suites = _of_results(record)
    title = terminal(record.title)
    suites.set("name", title)
    for suite in suites.iter("testsuite"):
        suite.set("name", title)
        if (former := suite.find("properties")) is not None:
            suite.remove(former)
        suite.insert(0, _properties(record))
    _write(path, suites)
    return path


def put_head(path: Path, record: RunRecord) -> None:
    """Put the head among the properties of a file that somebody had pytest write. Raises Misuse, LabFault.

    Its suites keep their names and their properties; what is no such file is left as it is.
    """
    suites = _read(path)
    if suites is None:
        return
    for suite in suites.iter("testsuite"):
        if (properties := suite.find("properties")) is None:
            suite.insert(0, properties := ET.Element("properties"))
        properties.append(_property("rig.title", record.title))
        properties.extend(_properties(record))
    _write(path, suites)


def _write(path: Path, suites: ET.Element) -> None:
    fresh = path.with_suffix(".xml.new")
    with writing(path):
        ET.ElementTree(suites).write(fresh, encoding="utf-8", xml_declaration=True)
        fresh.replace(path)


def _read(path: Path) -> ET.Element | None:
    """What pytest wrote; None where it came to write nothing, or not all of it."""
    if not is_there(path):
        return None
    try:
        return ET.parse(path).getroot()
    except ET.ParseError:
        return None


def _properties(record: RunRecord) -> ET.Element:
    found = ET.Element("properties")
    values = {f"rig.{name}": value for name, value in report_head.head(record).items()}
    values |= {f"rig.firmware.{name}": value for name, value in report_head.firmware(record).items()}
    found.extend(_property(name, value) for name, value in values.items())
    return found


def _property(name: str, value: str) -> ET.Element:
    return ET.Element("property", name=terminal(name), value=terminal(value))


def _of_results(record: RunRecord) -> ET.Element:
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", timestamp=record.identity.began, time=f"{record.seconds:.3f}")
    for result in record.results:
        _case(suite, result)
    for name in record.under_way:
        case = ET.SubElement(suite, "testcase", classname="rig", name=terminal(name), time="0")
        ET.SubElement(case, "error", message="the run was killed while this test was under way")
    for word, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(word, str(sum(1 for _ in suite.iter(tag))))
    return suites


def _case(suite: ET.Element, result: TestResult) -> None:
    case = ET.SubElement(suite, "testcase", classname="rig", name=terminal(result.name), time=f"{result.seconds:.3f}")
    properties = ET.SubElement(case, "properties")
    for name, value in result.properties.items():
        ET.SubElement(properties, "property", name=terminal(name), value=terminal(value))
    if result.result != PASSED:
        tag = {NOT_RUN: "skipped", DEVICE_FAULT: "failure"}.get(result.result, "error")
        element = ET.SubElement(case, tag, message=terminal(f"{result.result}: {result.message}"))
        element.text = "\n".join(map(terminal, result.fault_report.splitlines())) or None
