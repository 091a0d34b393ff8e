"""Endpoints to probe: identities under one root, a look at them all at once, and what was found."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from rig.trust.authority import make_root
from rig.trust.probe.probe import ProbePlan, Target, probe
from rig.trust.probe.report import HostReport
from tests.rig.trust.tls_servers import HOST, LOOPBACK

ROOT = make_root("Probe Root", key="rsa-2048")
MIDDLE = ROOT.intermediate("Probe Intermediate", key="rsa-2048")
ECDSA, RSA = MIDDLE.issue(HOST), MIDDLE.issue(HOST, key="rsa-2048")
ROOTS = (ROOT.certificate,)


def plan(*places, roots=ROOTS, **how) -> ProbePlan:
    return ProbePlan(addresses=places, roots=roots, **{"seconds": 5, "asks_heartbeats": False, **how})


def look(*servings, host=HOST, **how) -> HostReport:
    """One host at the addresses where these serve."""

    async def act():
        async with contextlib.AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(serving) for serving in servings]
            (report,) = await probe([Target(host)], plan(*((LOOPBACK, port) for port in ports), **how))
            return report

    return asyncio.run(act())


def codes(report, *levels):
    return {finding.code for finding in report.findings if not levels or finding.level in levels}


NOW = datetime.now(UTC)
WRONG_NAME = MIDDLE.issue("else.rig.test")
EXPIRED = MIDDLE.issue(HOST, begins=NOW - timedelta(days=100), life=timedelta(days=90))


def place(report, number):
    return f"{report.addresses[number].address}:{report.addresses[number].port}"
