"""What goes wrong at the update server on demand: every fault of its answers and bodies."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Misuse
from rig.servers.https.faults import ANSWER_FAULTS, BODY_FAULTS, HEAD_FAULTS, STATUSES, Fault
from tests.rig.servers.https.checks_https import MAC, SIZE, check_in
from tests.rig.servers.https.https_lab import DEVICE, HOST, IMAGE, OTHER_HOST, publishing_lab


@pytest.fixture
def lab(tmp_path):
    with publishing_lab(tmp_path) as running:
        yield running


MD5 = hashlib.md5(IMAGE).hexdigest()
PARTIAL, RESET, TIMED_OUT = 18, 56, 28


def whole(got):
    return got.body == IMAGE


FAULTS = {
    "stall@8192": ("--max-time 1", TIMED_OUT, lambda got: got.body == IMAGE[:8192]),
    "stall@8192:0.1": ("", 0, whole),
    "stall@0": ("--max-time 1", TIMED_OUT, lambda got: (got.status, got.body) == (200, b"")),
    "close@5000": ("", PARTIAL, lambda got: got.body == IMAGE[:5000]),
    "close@0": ("", PARTIAL, lambda got: got.status == 200 and not got.body),
    "fin@5000": ("", PARTIAL, lambda got: got.body == IMAGE[:5000]),
    "no-length": ("", 0, lambda got: whole(got) and not {"content-length", "transfer-encoding"} & set(got.headers)),
    "no-length-fin": ("", None, lambda got: whole(got) and "content-length" not in got.headers),
    "head": ("-I", 0, lambda got: got.status == 405),
    "head@403": ("-I", 0, lambda got: got.status == 403),
    "head-without-length": ("-I", 0, lambda got: (got.status, "content-length" in got.headers) == (200, False)),
    "head-chunked": ("-I", 0, lambda got: got.headers["transfer-encoding"] == "chunked"),
    "unauthorized": ("", 0, lambda got: (got.status, "www-authenticate" in got.headers) == (401, False)),
    "unauthorized:Bearer": ("", 0, lambda got: got.headers["www-authenticate"] == "Bearer"),
    "md5-in-capitals": ("", 0, lambda got: whole(got) and got.headers["x-md5"] == MD5.upper()),
    "reset@5000": ("", RESET, lambda got: IMAGE.startswith(got.body) and len(got.body) <= 5000),
    "slow@1000000": ("", 0, whole),
    "wrong-length@200000": ("", PARTIAL, whole),
    "wrong-length@50000": ("", 0, lambda got: got.body == IMAGE[:50000]),
    "truncated@5000": ("", 0, lambda got: got.body == IMAGE[:5000] and got.headers["content-length"] == "5000"),
    "random@100": ("", 0, lambda got: got.body[:100] == IMAGE[:100] and not whole(got) and len(got.body) == SIZE),
    "chunked": ("", 0, lambda got: whole(got) and "content-length" not in got.headers),
    "no-range": ("-r 5-9", 0, lambda got: got.status == 200 and whole(got) and "accept-ranges" not in got.headers),
    "wrong-md5": ("", 0, lambda got: whole(got) and got.headers["x-md5"] == "0" * 32),
    "empty": ("", 0, lambda got: (got.status, got.headers["content-length"], got.body) == (200, "0", b"")),
    **{
        f"redirect@{status}:https://{OTHER_HOST}/there": (
            "",
            0,
            lambda got, status=status: (got.status, got.headers["location"]) == (status, f"https://{OTHER_HOST}/there"),
        )
        for status in (301, 302, 303, 307, 308)
    },
    **{
        f"status@{status}": ("", 0, lambda got, status=status: (got.status, got.body) == (status, b""))
        for status in STATUSES
    },
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_happens_once_and_is_told(lab, text):
    words, exit_status, check = FAULTS[text]
    lab.call(lab.server.faults.add, Fault.parse(text))
    with lab.client.events(host=HOST) as events:
        got = lab.curl("/fw.bin", *words.split())
        told = next(event for event in events if event["event"] == "fault")
    assert told["kind"] == Fault.parse(text).kind
    assert exit_status is None or got.exit_status == exit_status, "curl minds a missing close_notify, or not"
    assert check(got), (got.status, got.headers, len(got.body))
    assert lab.client.ask("faults")["faults"] == []
    assert whole(lab.curl())


def test_every_kind_of_fault_is_tried():
    assert {Fault.parse(text).kind for text in FAULTS} == {*ANSWER_FAULTS, *HEAD_FAULTS, *BODY_FAULTS}


def test_a_fault_of_head_waits_for_one(lab):
    lab.client.fault("head", at=501)
    assert whole(lab.curl())
    assert lab.curl("/fw.bin", "-I").status == 501
    assert lab.curl("/fw.bin", "-I").status == 200


def test_slow_takes_its_time(lab):
    lab.client.fault("slow", at=200_000)
    lab.curl()
    assert lab.client.log("requests")[0]["seconds"] > 0.4


def test_a_fault_meets_its_device_alone_until_it_is_cleared(lab):
    lab.client.release("lamp", "2", lab.folder / "new.bin")
    lab.client.fault("status", at=500, device=MAC, times=0)
    assert [check_in(lab, "v1", "1").status for _ in range(3)] == [500] * 3
    assert lab.curl("/lamp?v=1&did=3c71bf0000ff").status == 200
    lab.client.ask("clear-faults", device=DEVICE)
    assert check_in(lab, "v1", "1").status == 200
    assert [entry["status"] for entry in lab.client.log("check-ins")] == [500, 500, 500, 200, 200]


def test_a_fault_of_a_body_waits_for_one_that_is_long_enough(lab):
    lab.client.fault("close", at=5000)
    assert lab.curl("/other.bin").status == 404
    assert lab.curl("/fw.bin", "-I").status == 200
    assert lab.curl("/fw.bin", "-r", "0-99").exit_status == 0
    assert lab.curl().exit_status == PARTIAL


def test_chunks_come_to_http_1_0_too(lab):
    lab.client.fault("chunked")
    told = lab.ask("GET /fw.bin HTTP/1.0\n\n", plain=True)
    assert b"Transfer-Encoding: chunked" in told
    assert told.endswith(b"0\r\n\r\n")


NO_FAULTS = {
    "a kind": ("explode", "no fault is called"),
    "a status": ("status@200", "cannot be at 200"),
    "a refusal": ("head@200", "cannot be at 200"),
    "a challenge in two lines": ("unauthorized:Basic\r\nEvil: 1", "a challenge in one printable line"),
    "a redirect to nowhere": ("redirect", "needs a place"),
    "a redirect that adds headers": ("redirect:/x\r\nEvil: 1", "needs a place"),
    "a device": ("lamp/status@404", "is no device"),
    "a duration": ("stall@5:long", "no number of seconds"),
    "an order of things": ("@5stall", r"is not \[DEVICE/\]KIND"),
    "a speed of nothing": ("slow@0", "cannot be at 0"),
}


@pytest.mark.parametrize("case", NO_FAULTS)
def test_what_is_no_fault_is_misuse(case):
    text, message = NO_FAULTS[case]
    with pytest.raises(Misuse, match=message):
        Fault.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_fault_or_misuse(text):
    try:
        fault = Fault.parse(text)
    except Misuse:
        return
    assert fault.kind in (*ANSWER_FAULTS, *BODY_FAULTS)
