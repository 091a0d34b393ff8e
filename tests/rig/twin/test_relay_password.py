"""A relay that asks for a password over HTTP: digest with SHA-256, by real clients, and what tries to get around it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from labgrid import Environment, Target
from labgrid.driver import NetworkPowerDriver
from labgrid.resource import NetworkPowerPort
from requests.auth import HTTPDigestAuth

from rig.control.address import TcpAddress
from rig.drivers.shelly import ShellyPowerDriver
from rig.errors import LabFault, Misuse
from rig.rack.relay import RelayPlan, serve_relay
from rig.twin.digest_guard import MOST_NONCES, NONCE_SECONDS, DigestGuard, digest_response, sha256_of
from rig.twin.relay import Wire
from rig.twin.shelly import NAME
from tests.rig.twin.served_relay import contact, relay_servers
from tests.rig.waiting import HANGS

PASSWORD = "Circle of Life: 100 %"
CALL = {"id": 1, "method": "Switch.GetStatus", "params": {"id": 0}}


@pytest.fixture(scope="module")
def relay():
    """A relay with a password and nobody on its wire; its address, and its Modbus port."""
    with relay_servers([Wire("power", TcpAddress("127.0.0.1", 1))], PASSWORD) as (_, modbus, http):
        yield SimpleNamespace(http=http, modbus=modbus, host=http.removeprefix("http://"))


def driver(relay, kind=ShellyPowerDriver, user="", **how):
    target = Target("core-01")
    NetworkPowerPort(target, "socket", model="shelly_gen2", host=f"http://{user}{relay.host}", index=0)
    made = kind(target, "power", **how)
    target.activate(made)
    return made


def secret(folder, text=PASSWORD, mode=0o600):
    path = folder / "password"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_who_knows_the_password_switches_and_both_protocols_see_it(relay, tmp_path):
    power = driver(relay, password_file=str(secret(tmp_path, f"{PASSWORD}\n")))
    for state in (False, True):
        (power.on if state else power.off)()
        assert power.get() is contact(relay.modbus).is_closed() is state


def test_a_session_that_counts_on_is_not_asked_again(relay):
    with requests.Session() as session:
        session.auth = HTTPDigestAuth("admin", PASSWORD)
        answers = [session.post(f"{relay.http}/rpc", json=CALL, timeout=5) for _ in range(3)]
    assert [(answer.status_code, len(answer.history)) for answer in answers] == [(200, 1), (200, 0), (200, 0)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_knows_the_way(relay):
    words = ["curl", "-s", "--digest", "-u", f"admin:{PASSWORD}", "-d", json.dumps(CALL), f"{relay.http}/rpc"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=HANGS, check=True).stdout
    assert json.loads(said)["result"]["id"] == 0


STRANGERS = {
    "nobody": None,
    "a wrong password": HTTPDigestAuth("admin", "guess"),
    "another user": HTTPDigestAuth("root", PASSWORD),
    "Basic, as labgrid alone would send it": ("admin", PASSWORD),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_stranger_is_asked_and_switches_nothing(relay, case):
    call = {"id": 1, "method": "Switch.Set", "params": {"id": 0, "on": False}}
    answer = requests.post(f"{relay.http}/rpc", json=call, auth=STRANGERS[case], timeout=5)
    assert answer.status_code == 401
    assert f'Digest qop="auth", realm="{NAME}"' in answer.headers["WWW-Authenticate"]
    assert "algorithm=SHA-256" in answer.headers["WWW-Authenticate"]
    assert contact(relay.modbus).is_closed()


@pytest.mark.parametrize(("user", "reason"), [("", "asks for a password"), ("admin:guess@", "refuses the password")])
def test_a_wrong_password_is_a_lab_fault_on_one_line_that_names_the_relay(relay, user, reason):
    with pytest.raises(LabFault, match=f"core-01: relay {relay.http} {reason}") as caught:
        driver(relay, user=user).off()
    assert "guess" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_in_the_hosts_url_is_taken_as_labgrid_writes_it(relay):
    assert driver(relay, user=f"admin:{requests.utils.quote(PASSWORD)}@").get() is True


def test_an_environment_names_the_driver_as_the_guide_does(relay, tmp_path):
    (tmp_path / "place.yaml").write_text(f"""
targets:
  main:
    resources:
      NetworkPowerPort: {{model: shelly_gen2, host: '{relay.http}', index: 0}}
    drivers:
    - ShellyPowerDriver: {{name: people, password_file: '{secret(tmp_path)}'}}
imports: [rig.drivers.shelly]
""")
    target = Environment(str(tmp_path / "place.yaml")).get_target()
    assert target.get_driver("PowerProtocol").get() is True


def test_labgrids_own_driver_sends_no_digest(relay):
    with pytest.raises(requests.HTTPError, match="401"):
        driver(relay, NetworkPowerDriver, user=f"admin:{requests.utils.quote(PASSWORD)}@").off()


def test_a_dead_relay_is_a_lab_fault_that_names_it():
    with pytest.raises(LabFault, match=r"core-01: relay http://127\.0\.0\.1:1 does not do Switch\.Set"):
        driver(SimpleNamespace(host="127.0.0.1:1"), user="admin:guess@").off()


def test_a_channel_that_is_not_there_is_a_lab_fault(relay):
    power = driver(relay, user=f"admin:{requests.utils.quote(PASSWORD)}@")
    power.port.index = 9
    with pytest.raises(LabFault, match=r"does not do Switch\.GetStatus"):
        power.get()


BAD_FILES = {
    "others can read it": (lambda f: secret(f, mode=0o640), "others can read the password"),
    "it is empty": (lambda f: secret(f, "\n"), "holds no password"),
    "it has two lines": (lambda f: secret(f, "a\nb\n"), "holds no password"),
    "it is too long": (lambda f: secret(f, "x" * 2000), "larger than"),
    "it is not there": (lambda f: f / "nowhere", "cannot read"),
    "it never ends": (lambda _f: Path("/dev/zero"), "it is no file"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_password_file_that_will_not_do_is_misuse(relay, tmp_path, case):
    make, reason = BAD_FILES[case]
    path = make(tmp_path)
    with pytest.raises(Misuse, match=reason):
        driver(relay, password_file=str(path))
    with pytest.raises(Misuse, match=reason):
        serve_relay(RelayPlan(wires=[], password_file=path))


def test_the_command_serves_a_relay_with_a_password(tmp_path):
    words = ["twin", "relay", "--wire", "power@127.0.0.1:1", "--password-file", str(secret(tmp_path))]
    with subprocess.Popen([sys.executable, "-m", "rig", *words], stdout=subprocess.PIPE, text=True) as served:
        url = f"http://127.0.0.1:{json.loads(served.stdout.readline())['http']['port']}/rpc"
        known = requests.post(url, json=CALL, auth=HTTPDigestAuth("admin", PASSWORD), timeout=5)
        assert (known.status_code, requests.post(url, json=CALL, timeout=5).status_code) == (200, 401)
        served.send_signal(signal.SIGTERM)
        assert served.wait(HANGS) == 0


# -- the guard by itself -----------------------------------------------------------------------------------------------


class Hours:
    """A clock that is set."""

    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time


def guard(hours=None):
    return DigestGuard(PASSWORD, NAME, hours or Hours())


def nonce_of(challenge):
    return requests.utils.parse_dict_header(challenge.removeprefix("Digest "))["nonce"]


def answer(given, nc="00000001", uri="/rpc", changed=None):
    ha1 = sha256_of("admin", NAME, PASSWORD)
    fields = {"username": "admin", "realm": NAME, "nonce": given, "uri": uri, "qop": "auth", "nc": nc, "cnonce": "c",
              "algorithm": "SHA-256", "response": digest_response(ha1, "POST", uri, given, nc, "c")}  # fmt: skip
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in {**fields, **(changed or {})}.items())


def test_the_response_is_the_standards():
    """RFC 7616 §3.9.1."""
    realm, nonce = "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    ha1, cnonce = sha256_of("Mufasa", realm, "Circle of Life"), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    response = digest_response(ha1, "GET", "/dir/index.html", nonce, "00000001", cnonce)
    assert response == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_what_was_sent_once_is_refused_when_it_comes_again():
    digest = guard()
    nonce = nonce_of(digest.challenge("POST", "/rpc", ""))
    assert digest.challenge("POST", "/rpc", answer(nonce, "00000002")) is None
    for count in ("00000002", "00000001"):
        assert "stale=true" in digest.challenge("POST", "/rpc", answer(nonce, count))
    assert digest.challenge("POST", "/rpc", answer(nonce, "0000000a")) is None


def test_a_nonce_ends_after_an_hour_and_those_of_others_are_none():
    hours = Hours()
    digest = guard(hours)
    nonce = nonce_of(digest.challenge("POST", "/rpc", ""))
    hours.time = NONCE_SECONDS
    assert "stale=true" in digest.challenge("POST", "/rpc", answer(nonce))
    assert "stale=true" in digest.challenge("POST", "/rpc", answer(""))


def test_who_asks_for_ever_fills_no_memory():
    digest = guard()
    for _ in range(3 * MOST_NONCES):
        digest.challenge("POST", "/rpc", "")
    assert len(digest._nonces) == MOST_NONCES


FORGED = {
    "another place": {"uri": "/rpc/Switch.Set"}, "another realm": {"realm": "x"}, "MD5": {"algorithm": "MD5"},
    "no qop": {"qop": ""}, "a count in decimal": {"nc": "1"}, "a count that is none": {"nc": "0000000x"},
    "another response": {"response": "0" * 64}, "another nonce": {"nonce": "x"}, "another user": {"username": "root"},
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_what_is_forged_is_asked_anew(case):
    digest = guard()
    nonce = nonce_of(digest.challenge("POST", "/rpc", ""))
    assert "stale" not in digest.challenge("POST", "/rpc", answer(nonce, changed=FORGED[case]))
    assert digest.challenge("GET", "/rpc", answer(nonce)) is not None, "another method"


def test_a_header_that_is_no_text_is_refused_and_no_more(relay):
    header = answer("x", changed={"response": "\xff", "nonce": "\xfe"}).encode("latin-1")
    said = requests.post(f"{relay.http}/rpc", json=CALL, headers={"Authorization": header}, timeout=5)
    assert said.status_code == 401


@settings(max_examples=50)
@given(st.text(max_size=200), st.booleans())
def test_no_header_gets_in_or_breaks_the_guard(text, is_digest):
    assert guard().challenge("POST", "/rpc", f"Digest {text}" if is_digest else text)
