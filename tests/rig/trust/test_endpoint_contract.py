"""Every endpoint whose identity is swapped keeps one contract: the update server, the Spark cloud's key, an nginx."""

from __future__ import annotations

import ssl

import pytest

from rig.trust.remote import shown_chain
from tests.rig.installed import installed
from tests.rig.trust import checks_endpoint as contract
from tests.rig.trust.checks_endpoint import CONTRACT
from tests.rig.trust.endpoint_adapters import IMPLEMENTATIONS


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_contract_holds(tmp_path, monkeypatch, implementation, check):
    installed("curl")
    if check is contract.twenty_swaps_leave_no_litter:
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
