"""Figures of a watch for Prometheus: the text, the file that node_exporter's textfile collector reads, and a port."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rig.control.web_pages import WebPages
from rig.errors import LabFault
from rig.ports import read_address, taking
from rig.trust.watch.config import WatchedEndpoint
from rig.trust.watch.fact import FactKind
from rig.trust.watch.memory import Memory
from rig.trust.watch.state import WatchState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = dict[str, str]


@dataclass(slots=True)
class _Figure:
    """One metric: its name without `rig_trust_`, and a value for each set of labels."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    values: list[tuple[Labels, float]] = field(default_factory=list)

    def text(self) -> Iterator[str]:
        name = f"rig_trust_{self.name}"
        yield f"# HELP {name} {self.help}"
        yield f"# TYPE {name} {self.kind}"
        for labels, value in self.values:
            joined = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            yield f"{name}{{{joined}}} {value:.17g}" if joined else f"{name} {value:.17g}"


def metrics_text(state: WatchState, endpoints: Sequence[WatchedEndpoint], firmware: Sequence[str]) -> str:
    """All figures, in Prometheus' text format."""
    watched = [(endpoint, state.memory(endpoint.name)) for endpoint in endpoints]
    figures = [
        *_of_endpoints(watched),
        *_of_firmware(watched, state, firmware),
        *_of_channels(state),
        _Figure("rounds_total", "counter", "Times that all endpoints were looked at.", [({}, state.rounds)]),
    ]
    return "".join(f"{line}\n" for figure in figures for line in figure.text())


def write_metrics(path: Path, text: str) -> None:
    """Write a file in one step, so that nobody reads half of it. Raises LabFault."""
    # The collector reads *.prom only, so it never sees this one.
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise LabFault(f"cannot write figures to {path}: {error.strerror}") from error


class MetricsPort:
    """`/metrics` on loopback."""

    def __init__(self, listen: str, text: Any):
        self._address = read_address(listen, "metrics.listen", "127.0.0.1:9469", lowest=0)
        self._text = text
        self._runner: Any = None

    async def start(self) -> int:
        """Listen; returns the port. Raises LabFault when it is taken."""
        from aiohttp import web

        host, port = self._address
        pages = WebPages(host)

        async def answer(request: web.Request) -> web.Response:
            if reason := pages.refusal(request.headers):
                return web.Response(status=403, text=reason)
            return web.Response(body=self._text().encode(), headers={"Content-Type": CONTENT_TYPE})

        app = web.Application()
        app.router.add_get("/metrics", answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        with taking(host, port):
            await web.TCPSite(self._runner, host.strip("[]"), port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()


# -- figures -----------------------------------------------------------------------------------------------------------


def _of_endpoints(watched: Sequence[tuple[WatchedEndpoint, Memory]]) -> Iterator[_Figure]:
    seen = [
        ({"endpoint": memory.subject, "address": address}, identity, address not in memory.missed)
        for _, memory in watched
        for address, identity in memory.shown.items()
    ]
    missed = [({"endpoint": m.subject, "address": address}, 0.0) for _, m in watched for address in m.missed]
    ups = [*((labels, 1.0) for labels, _, is_up in seen if is_up), *missed]
    ends = [(labels, identity.ends.timestamp()) for labels, identity, _ in seen]
    chains = [(labels, identity.chain_ends.timestamp()) for labels, identity, _ in seen]
    yield _Figure("address_up", "gauge", "Whether an address showed certificates at the last look.", ups)
    yield _Figure("certificate_expiry_timestamp_seconds", "gauge", "When the server's own certificate ends.", ends)
    yield _Figure("chain_expiry_timestamp_seconds", "gauge", "When the first certificate of the chain ends.", chains)
    for name, help_text, of in (
        ("last_look_timestamp_seconds", "When an endpoint was looked at.", "looked_at"),
        ("last_success_timestamp_seconds", "When an endpoint showed certificates.", "answered_at"),
    ):
        yield _Figure(name, "gauge", help_text, list(_times(watched, of)))
    looks = [({"endpoint": memory.subject}, float(memory.looks)) for _, memory in watched]
    failures = [({"endpoint": memory.subject}, float(memory.failures)) for _, memory in watched]
    yield _Figure("looks_total", "counter", "Looks at an endpoint.", looks)
    yield _Figure("look_failures_total", "counter", "Looks that no address answered.", failures)
    lost = [({"endpoint": memory.subject}, float(memory.lost)) for _, memory in watched]
    yield _Figure("looks_lost_total", "counter", "Looks that this machine was too busy for, at any address.", lost)


def _times(watched: Iterable[tuple[WatchedEndpoint, Memory]], of: str) -> Iterator[tuple[Labels, float]]:
    for _, memory in watched:
        when: datetime | None = getattr(memory, of)
        if when is not None:
            yield {"endpoint": memory.subject}, when.timestamp()


def _of_firmware(
    watched: Sequence[tuple[WatchedEndpoint, Memory]], state: WatchState, firmware: Sequence[str]
) -> Iterator[_Figure]:
    accepted = [
        ({"host": endpoint.host, "endpoint": endpoint.name, "firmware": name}, float(how == "all"))
        for endpoint, memory in watched
        for name, how in memory.accepted.items()
    ]
    dark = [({"firmware": name}, float(FactKind.DARK in state.memory(f"firmware {name}").facts)) for name in firmware]
    open_ones: dict[tuple[str, str, str], int] = {}
    for memory in state.memories.values():
        for fact in memory.facts.values():
            key = (memory.subject, fact.kind, fact.level)
            open_ones[key] = open_ones.get(key, 0) + 1
    facts = [({"subject": s, "kind": k, "level": v}, float(count)) for (s, k, v), count in open_ones.items()]
    yield _Figure("firmware_accepted", "gauge", "Whether firmware accepts what every address shows.", accepted)
    yield _Figure("firmware_dark", "gauge", "Whether firmware has no server left.", dark)
    yield _Figure("open_facts", "gauge", "Facts that hold.", facts)


def _of_channels(state: WatchState) -> Iterator[_Figure]:
    boxes = [({"channel": name}, box) for name, box in state.outboxes.items()]
    queued = [(labels, float(len(box.queue))) for labels, box in boxes]
    yield _Figure("alerts_queued", "gauge", "Alerts that a channel has not taken yet.", queued)
    for name, help_text, of in (
        ("alerts_delivered_total", "Alerts that a channel took.", "delivered"),
        ("alert_failures_total", "Deliveries that failed.", "failed"),
        ("alerts_dropped_total", "Alerts lost because far too many were queued.", "dropped"),
    ):
        yield _Figure(name, "counter", help_text, [(labels, float(getattr(box, of))) for labels, box in boxes])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
