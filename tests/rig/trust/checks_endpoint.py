"""The contract of every endpoint whose identity is swapped: named checks, each of which takes an adapter."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

from tests.rig.trust.remote.checks_nginx import refused


def a_client_sees_what_is_shown_and_after_a_swap_the_new_one(endpoint):
    before, new = endpoint.shown(), endpoint.another()
    former = endpoint.swap(new)
    assert endpoint.shown() == endpoint.fingerprint(new), "the next handshake saw another identity than the new one"
    assert former == before != endpoint.shown()


def what_runs_ends_undisturbed(endpoint):
    with endpoint.running() as end:
        endpoint.swap(endpoint.another())
        assert end() == "whole", "a swap disturbed what was running"


def what_cannot_be_served_is_refused_and_changes_nothing(endpoint):
    before = endpoint.shown()
    error = refused(lambda: endpoint.swap(endpoint.nonsense()))
    assert error is not None, "nonsense was taken"
    assert endpoint.shown() == before, "nonsense was refused, and something changed"


def going_back_restores_exactly(endpoint):
    before, new = endpoint.shown(), endpoint.another()
    endpoint.swap(new)
    assert endpoint.restore() == endpoint.fingerprint(new)
    assert endpoint.shown() == before, "what was restored is not what was there before"


def others_are_not_touched(endpoint):
    before = endpoint.others()
    endpoint.swap(endpoint.another())
    assert endpoint.others() == before, "somebody else's identity was swapped too"


def twenty_swaps_leave_no_litter(endpoint):
    identities = [endpoint.another() for _ in range(3)]
    for identity in identities[:2]:
        endpoint.swap(identity)
    before = endpoint.kept()
    for number in range(20):
        endpoint.swap(identities[number % 3])
    assert endpoint.kept() == before, "something is left of swaps that are over"
    assert endpoint.shown() == endpoint.fingerprint(identities[19 % 3])


def no_session_of_before_is_resumed(endpoint):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        resumed = endpoint.resumes(version, lambda: endpoint.swap(endpoint.another()))
        assert not resumed, "a session of before was resumed: no certificate was shown"


def each_handshake_leaves_a_record(endpoint):
    before = endpoint.records()
    for _ in range(3):
        endpoint.others()
    deadline = time.monotonic() + 2
    while endpoint.records() < before + 3 and time.monotonic() < deadline:
        time.sleep(0.01)  # a client may be through before its server has written it down
    assert endpoint.records() == before + 3, "handshakes and records of them are not the same number"


CONTRACT: dict[Callable[[Any], None], str] = {
    a_client_sees_what_is_shown_and_after_a_swap_the_new_one: "",
    what_runs_ends_undisturbed: "",
    what_cannot_be_served_is_refused_and_changes_nothing: "",
    going_back_restores_exactly: "",
    others_are_not_touched: "",
    twenty_swaps_leave_no_litter: "",
    no_session_of_before_is_resumed: "sessions",
    each_handshake_leaves_a_record: "records",
}
