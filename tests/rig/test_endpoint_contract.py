"""Every endpoint whose identity is swapped keeps one contract: the update server, the Spark cloud's key, an nginx."""

from __future__ import annotations

import ssl

import checks_endpoint as contract
import pytest
from checks_endpoint import CONTRACT
from endpoint_adapters import IMPLEMENTATIONS
from installed import installed

from rig.servers.spark.cloud import SparkCloud
from rig.trust.authority import make_root
from rig.trust.identity import Identity
from rig.trust.remote import shown_chain
from rig.trust.server_key import make_server_key
from rig.trust.tls.context import TlsSettings
from rig.trust.tls.endpoint import Endpoint, EndpointHost


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_contract_holds(tmp_path, monkeypatch, implementation, check):
    installed("curl")
    if check is contract.a_hundred_swaps_leave_no_litter:
        monkeypatch.setattr(shown_chain, "IN_A_ROW", 1)
    with IMPLEMENTATIONS[implementation](tmp_path) as endpoint:
        if CONTRACT[check] in endpoint.lacks:
            pytest.skip(endpoint.lacks[CONTRACT[check]])
        check(endpoint)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_nginx_resumes_sessions_as_long_as_nothing_is_swapped(tmp_path, version):
    """Else its part of the contract would hold of a server that never resumes any."""
    with IMPLEMENTATIONS["remote nginx"](tmp_path) as endpoint:
        assert endpoint.resumes(version, lambda: None)


# -- planted faults ----------------------------------------------------------------------------------------------------


REAL_SHOW = EndpointHost.show
REAL_SWAP = Endpoint.swap
REAL_CONTEXT = TlsSettings.context


def _show_at_first_only(self, identity, settings):
    if not hasattr(self, "context"):
        REAL_SHOW(self, identity, settings)


def _hang_up_on_all(self, identity, *whose):
    former = REAL_SWAP(self, identity, *whose)
    for connection in list(self._connections):
        connection.abort()
    return former


def _swap_all(self, identity, name=None, _client=None):
    former = self.host(name).identity
    for each in self.hosts:
        REAL_SWAP(self, identity, each)
    return former


def _take_any(_chain, _key):
    return make_root("Nobody").issue("nobody.rig.test")


ONE_CONTEXT = {}


def _one_context_for_all(self):
    if self not in ONE_CONTEXT:
        context = ONE_CONTEXT[self] = REAL_CONTEXT(self)
        context.options &= ~ssl.OP_NO_TICKET
        context.num_tickets = 2
    return ONE_CONTEXT[self]


def _swap_for_all(self, key, core_id=None):
    self.key = key
    self._own_keys.clear()


#: A fault: where, what is there instead, the implementation it is in, the check that notices it.
FAULTS = {
    "an endpoint that keeps showing the old chain": (
        lambda m: m.setattr(EndpointHost, "show", _show_at_first_only),
        "update server",
        contract.a_client_sees_what_is_shown_and_after_a_swap_the_new_one,
    ),
    "a swap that hangs up on everybody": (
        lambda m: m.setattr(Endpoint, "swap", _hang_up_on_all),
        "update server",
        contract.what_runs_ends_undisturbed,
    ),
    "a swap of all hosts": (
        lambda m: m.setattr(Endpoint, "swap", _swap_all),
        "update server",
        contract.others_are_not_touched,
    ),
    "nonsense is taken for something else": (
        lambda m: m.setattr(Identity, "load", _take_any),
        "update server",
        contract.what_cannot_be_served_is_refused_and_changes_nothing,
    ),
    "sessions outlive a swap": (
        lambda m: m.setattr(TlsSettings, "context", _one_context_for_all),
        "update server",
        contract.no_session_of_before_is_resumed,
    ),
    "handshakes that nobody notes": (
        lambda m: m.setattr(Endpoint, "shook", lambda *_: None),
        "update server",
        contract.each_handshake_leaves_a_record,
    ),
    "a cloud that swaps its key for everybody": (
        lambda m: m.setattr(SparkCloud, "swap_key", _swap_for_all),
        "Spark cloud",
        contract.others_are_not_touched,
    ),
    "a cloud that goes back to a new key": (
        lambda m: m.setattr(SparkCloud, "restore_key", lambda self, core: self.swap_key(make_server_key(), core)),
        "Spark cloud",
        contract.going_back_restores_exactly,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(tmp_path, monkeypatch, fault):
    plant, implementation, check = FAULTS[fault]
    with IMPLEMENTATIONS[implementation](tmp_path) as endpoint:
        plant(monkeypatch)
        with pytest.raises(AssertionError):
            check(endpoint)
