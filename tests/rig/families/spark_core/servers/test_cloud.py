"""Our cloud and the twin of a Core over real TCP: online, asked, updated; and what faults on the way do to an image."""

from __future__ import annotations

import time

import pytest

from rig.errors import DeviceFault, LabFault, Misuse
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.servers import cloud, session
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID, spark_lab
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.waiting import until

NEW = ROLES["new"]
VERSIONS = ["0.2.0", "0.2.1", "0.3.4", "0.4.4"]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setattr(cloud, "AWAY_SECONDS", 10.0)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 3.0)
    with spark_lab(tmp_path) as running:
        yield running


def flash(lab, image=NEW, **how):
    events = []
    result = lab.client.flash(CORE_ID, image.data, events.append, **how)
    return result, events


def slot(core, length) -> bytes:
    """What lies where updates over the air are put."""
    return core.core.memory.external.read(layout.OTA_ADDRESS, length)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_core_is_described_read_called_and_pinged(lab, version):
    lab.core(version)
    told = lab.online()
    assert (told["updated"], told["platform"]) == (False, 0 if version == "0.4.4" else None)
    described = lab.client.ask("describe", core=CORE_ID)
    assert described["f"] == ["digitalread", "digitalwrite", "analogread", "analogwrite"]
    assert lab.client.ask("variable", core=CORE_ID, name="image")["value"] == "core-old"
    assert lab.client.ask("variable", core=CORE_ID, name="answer")["value"] == 42
    assert lab.client.ask("call", core=CORE_ID, name="digitalwrite", argument="D7,HIGH")["returned"] == 1
    assert lab.client.ask("call", core=CORE_ID, name="digitalread", argument="D7")["returned"] == 1
    assert lab.client.ask("call", core=CORE_ID, name="nothing")["returned"] == -1
    assert lab.client.ask("ping", core=CORE_ID)["done"]


UPDATES = [(version, size, False) for version in VERSIONS for size in (256, 512)] + [
    ("0.4.4", 256, True), ("0.4.4", 512, True), ("0.2.1", 512, True),
]  # fmt: skip


@pytest.mark.parametrize(("version", "chunk_size", "fast"), UPDATES)
def test_an_update_is_applied_and_the_core_says_so(lab, version, chunk_size, fast):
    core = lab.core(version)
    lab.online()
    told, events = flash(lab, chunk_size=chunk_size, fast=fast)
    assert told["ok"], told
    assert told["fast"] == (fast and version == "0.4.4"), "a Core that takes slow updates only gets one"
    assert [event["index"] for event in events if event["event"] == "chunk"] == list(range(told["chunks"]))
    assert core.core.memory.app()[: len(NEW)] == NEW.data
    assert lab.client.ask("variable", core=CORE_ID, name="image")["value"] == "core-new"


def chunks(*numbers) -> bytes:
    """The new image's chunks of 256 bytes, the last one padded, in this order."""
    padded = NEW.data.ljust(-(-len(NEW) // 256) * 256, b"\0")
    return b"".join(padded[256 * number :][:256] for number in numbers)


LAST = -(-len(NEW) // 256)
#: A fault, the firmware, and which chunks lie in the slot afterwards, in order.
HAZARDS = {
    "a chunk twice shifts what follows": ("duplicate@4", "0.2.1", [0, 1, 2, 3, 4, *range(4, LAST)]),
    "a chunk twice shifts 0.4's slow updates too": ("duplicate@4", "0.4.4", [0, 1, 2, 3, 4, *range(4, LAST)]),
    "a second UpdateBegin moves the tail to the front": ("second-begin@9", "0.2.1", range(10, LAST)),
    "UpdateDone is obeyed after one chunk": ("early-done@0", "0.2.1", [0]),
    "a damaged chunk is sent again": ("corrupt@3", "0.2.1", range(LAST)),
    "a stall of 4 s is not answered by a chunk sent twice": ("stall@4", "0.2.1", range(LAST)),
    "a lost chunk is asked for after 3 s": ("drop@5", "0.2.1", range(LAST)),
}


@pytest.mark.parametrize("case", HAZARDS)
def test_what_a_fault_on_the_way_leaves_in_flash(lab, case):
    fault, version, wanted = HAZARDS[case]
    kind, _, chunk = fault.partition("@")
    core = lab.core(version)
    lab.online()
    lab.client.ask("fault", kind=kind, chunk=int(chunk))
    told, _ = flash(lab)
    assert told["faults"] == ([fault] if kind != "none" else [])
    assert slot(core, len(NEW) + 1024) == chunks(*wanted).ljust(len(NEW) + 1024, b"\xff")[: len(NEW) + 1024]


DISTURBED = [("hold", "chunk"), ("hold", "received"), ("merge", "chunk-ack"), ("split", "received")]


@pytest.mark.parametrize(("kind", "message"), DISTURBED)
def test_a_network_that_misbehaves_on_real_sockets(lab, kind, message):
    lab.client.ask("disturb", kind=kind, message=message, number=1, seconds=0.5)
    core = lab.core("0.3.4")
    lab.online()
    told, events = flash(lab)
    assert [(event["kind"], event["message"]) for event in events if event["event"] == "disturbed"] == [(kind, message)]
    assert (told["ok"], told["sent"]) == (True, told["chunks"])
    assert core.core.memory.app()[: len(NEW)] == NEW.data


def test_a_core_hangs_up_on_a_frame_whose_first_byte_came_alone(lab):
    """It asks for two bytes and drops a single one: what follows is no length (event_loop in spark_protocol.cpp)."""
    lab.client.ask("disturb", kind="split", message="chunk", number=1, seconds=0.5)
    lab.core("0.3.4")
    lab.online()
    told, _ = flash(lab)
    assert (told["ok"], told["sent"]) == (False, 2)
    assert "went offline" in told["reason"]


@pytest.mark.parametrize("kind", ["corrupt", "drop", "duplicate"])
def test_a_fast_update_survives_what_happens_to_a_chunk(lab, kind):
    core = lab.core("0.4.4")
    lab.online()
    lab.client.ask("fault", kind=kind, chunk=3)
    told, _ = flash(lab, fast=True)
    assert (told["ok"], told["missed"]) == (True, 0 if kind == "duplicate" else 1)
    assert core.core.memory.app()[: len(NEW)] == NEW.data


@pytest.mark.parametrize(("version", "whole"), [("0.2.0", False), ("0.2.1", True)])
def test_a_failing_write_is_silent_on_0_2_0_and_repaired_by_0_2_1(lab, version, whole):
    core = lab.core(version)
    lab.online()
    lab.control_of(core, "wear", address=layout.OTA_ADDRESS + 5000)
    told, _ = flash(lab)
    assert told["acknowledged"], "both say that all is well"
    assert (slot(core, len(NEW)) == NEW.data) == whole
    assert (told["missed"], told["ok"]) == (whole, whole)


@pytest.mark.parametrize(("version", "returned"), [("0.2.0", None), ("0.2.1", 1), ("0.4.4", 1)])
def test_publishing_inside_a_function_was_broken_before_0_2_1(lab, version, returned):
    from dataclasses import replace

    from tests.rig.families.spark_core.twin.models import CATALOGUE

    core = lab.core(version, identify=lambda area: replace(CATALOGUE.identify(area), offers="probe"))
    lab.online()
    if returned is None:
        with pytest.raises((DeviceFault, LabFault)):
            lab.client.ask("call", core=CORE_ID, name="echo", argument="hi")
    else:
        assert lab.client.ask("call", core=CORE_ID, name="echo", argument="hi")["returned"] == returned
    assert core.core.running == "core-old"


def test_an_image_that_is_too_large_or_empty_is_refused(lab):
    lab.core("0.2.1")
    lab.online()
    with pytest.raises(Misuse, match="a Core copies 110,592"):
        lab.client.flash(CORE_ID, bytes(110_593), lambda _event: None)
    with pytest.raises(Misuse, match="empty"):
        lab.client.flash(CORE_ID, b"", lambda _event: None)
    with pytest.raises(Misuse, match="256 or 512"):
        lab.client.flash(CORE_ID, NEW.data, lambda _event: None, chunk_size=300)


def test_power_off_is_silence_and_a_core_that_comes_back_replaces_itself(lab):
    core = lab.core("0.2.1")
    since = lab.online()["since"]
    lab.control_of(core, "power", on=False)
    time.sleep(0.3)
    assert lab.client.ask("list")["cores"][0]["since"] == since, "the cloud heard nothing"
    lab.control_of(core, "power", on=True)
    until(lambda: lab.client.ask("list")["cores"][0]["since"] != since, "the Core to come back")
    assert lab.online()["since"] > since


def test_a_core_in_listening_mode_is_given_a_network_over_its_console(lab):
    import socket

    core = lab.core("0.2.1")
    lab.online()
    console = core.ready["console"]["port"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", console), timeout=2)
    lab.control_of(core, "power", on=False)
    lab.control_of(core, "radio", profiles=[])
    lab.control_of(core, "power", on=True)
    sock = connect_soon(console)
    assert ask(sock, b"i", b"\r\n") == b"Your core id is " + CORE_ID.encode() + b"\r\n"
    for typed, prompt in ((b"w", b"SSID: "), (b"lax\bb\r", b"WPA2: "), (b"9", b"WPA2: "), (b"3", b"Password: ")):
        assert ask(sock, typed, prompt).endswith(prompt)
    sock.sendall(b"secret\n")
    assert lab.online()["core"] == CORE_ID
    assert lab.control_of(core, "radio")["profiles"] == ["lab"]


def connect_soon(port):
    import socket

    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "no console appears"
            time.sleep(0.05)


def ask(sock, typed, until) -> bytes:
    """Type, and read until the answer ends so."""
    sock.sendall(typed)
    said = b""
    while not said.endswith(until):
        said += sock.recv(1000)
    return said


def test_eight_cores_are_updated_at_once(lab):
    from concurrent.futures import ThreadPoolExecutor

    ids = [f"48ff6c06506755502631{number:04x}" for number in range(1, 9)]
    for core_id in ids:
        lab.core("0.2.1", core_id=core_id)
    for core_id in ids:
        lab.online(core_id)
    with ThreadPoolExecutor(8) as pool:
        result = list(pool.map(lambda core_id: lab.client.flash(core_id, NEW.data, lambda _event: None), ids))
    assert [entry["ok"] for entry in result] == [True] * 8
