"""The update server: hosts behind one TLS endpoint, and a plain port where wanted; files, policies, faults."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import count, islice
from typing import Any

from aiohttp import web

from rig.control.web_pages import is_of_a_page
from rig.errors import Misuse
from rig.http_settings import BUSY, http_settings, silenced
from rig.limits import HTTPS, Limits, effective_limits, refuse_more
from rig.listener import Listener
from rig.ports import format_address, host_of
from rig.servers.https.answer import Answer, answer_to
from rig.servers.https.body import Cut, Sending
from rig.servers.https.check_in import CheckIn, device_in, read_check_in
from rig.servers.https.connection import HttpServer
from rig.servers.https.faults import ANSWER_FAULTS, BODY_FAULTS, HEAD_FAULTS, Fault, Faults
from rig.servers.https.journal import MOST_HEADERS, Event, Journal, clipped
from rig.servers.https.policy import Policy
from rig.servers.https.published_files import PublishedFiles
from rig.trust.identity import Identity
from rig.trust.tls.context import TlsSettings
from rig.trust.tls.endpoint import Endpoint, tune
from rig.trust.tls.handshake import Handshake

log = logging.getLogger(__name__)

#: Header values that are nobody's business.
SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization")


class UpdateServer:
    """Serves `files` and `policy` to boards, as every host of `hosts`; `identities` are those it can show, by name."""

    def __init__(self, hosts: Mapping[str, Identity], settings: TlsSettings | None = None, limits: Limits = HTTPS):
        self._limits = effective_limits(limits)
        self.journal = Journal()
        self.faults = Faults()
        self.files = PublishedFiles()
        self.policy = Policy()
        self.identities = {name.lower(): identity for name, identity in hosts.items()}
        self._web = HttpServer(
            self._serve,
            self._not_a_request,
            handler_cancellation=True,
            logger=silenced(__name__),
            **http_settings(self._limits),
        )
        self.endpoint = Endpoint(hosts, self._web, settings=settings, on_handshake=self._shook, limits=self._limits)
        self._plain: Listener | None = None
        self._numbers = count(1)

    async def start(self, host: str, port: int) -> int:
        """Listen for TLS; returns the port. Raises OSError when it is taken."""
        return await self.endpoint.start(host, port)

    async def start_plain(self, host: str, port: int) -> int:
        """Listen without TLS too; returns the port. Raises OSError when it is taken."""
        self._plain = Listener(self._web, self._limits, refusal=BUSY)
        return await self._plain.start(host, port)

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._plain is not None:
            self._plain.close()
        self.endpoint.close()
        await self._web.shutdown(0.1)

    def swap(self, host: str, identity: Identity, client: str | None = None) -> None:
        """Show another identity as a host from the next handshake on, to everybody or one client. Raises Misuse."""
        former = self.endpoint.swap(identity, host, client)
        swapped = {"identity": identity.fingerprint, "former": former.fingerprint, "client": client}
        self.journal.emit("identity-swapped", host.lower(), None, **swapped)

    def set_tls(self, host: str | None, changes: Mapping[str, Any], client: str | None = None) -> TlsSettings:
        """Make handshakes of one host, or of all, differently from the next one on; returns the last one's settings.

        Raises Misuse; then all stay as they were.
        """
        names = [host] if host is not None else list(self.endpoint.hosts)
        wanted = {name: replace(self.endpoint.met_by(client, name).settings, **changes) for name in names}
        self.endpoint.set_all(wanted, client)
        return wanted[names[-1]]

    def check_new(self, name: str) -> None:
        """Raises Misuse where an identity, or a host, is called so already."""
        if name.lower() in self.endpoint.hosts:
            raise Misuse(f"{name} is a host: its first identity is called so")
        refuse_more(self.identities, "identities")
        if name.lower() in self.identities:
            raise Misuse(f"an identity is called {name} already", hint="swap to it, or name another")

    def identity(self, name: str) -> Identity:
        """One it was told of. Raises Misuse."""
        found = self.identities.get(name.lower())
        if found is None:
            raise Misuse(f"no identity is called {name!r}", hint=f"one of {', '.join(self.identities)}")
        return found

    # -- a request -----------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if is_of_a_page(request.headers):
            self._not_a_request(request, 403, "a web page had it sent")
            return web.Response(status=403, headers={"Connection": "close"})
        try:
            return await self._exchange(request)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            log.exception("a request that broke the server")
            raise

    async def _exchange(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        check_in = read_check_in(request.path, request.query, headers)
        asked = self._asked(request, headers, check_in)
        host, device = asked["host"], asked["device"]
        answer, faults = self._answer(request, headers, check_in, host, device)
        if check_in is not None:
            self._check_in(asked, check_in, answer)
        sending = Sending(request, answer, faults, self._progress(asked, answer))
        for kind in faults:
            self.journal.emit("fault", host, device, **_exchange_of(asked), kind=kind)
        asked.update(status=answer.status, why=answer.why, ending="the client left", sent=0)
        try:
            await sending.run()
            asked["ending"] = "finished"
        except Cut as error:
            asked["ending"] = str(error)
        finally:
            if sending.sent and sending.is_whole and asked["ending"] == "the client left":
                asked["ending"] = "finished"  # and left before we could say so
            asked["sent"] = sending.sent
            asked["seconds"] = round((time.monotonic_ns() - asked["at_ns"]) / 1e9, 6)
            ended = {key: asked[key] for key in ("status", "why", "sent", "ending", "seconds")}
            finished = asked["ending"] == "finished"
            self.journal.emit("finished" if finished else "aborted", host, device, **_exchange_of(asked), **ended)
        return sending.response

    def _not_a_request(self, request: web.BaseRequest, status: int, why: str) -> None:
        """Note what could not be read as a request: it is evidence, too."""
        shook, peer = _who(request)
        entry = self.journal.emit(
            "request-refused",
            shook.host if shook is not None else None,
            None,
            request=next(self._numbers),
            handshake=shook.number if shook is not None else None,
            peer=peer,
            method=None,
            path=None,
            range=None,
            status=status,
            why=why,
        )
        self.journal.requests.append(entry)

    def _asked(self, request: web.BaseRequest, headers: Mapping[str, str], check_in: CheckIn | None) -> Event:
        """Note a request, by the host its Host header names, or that of the handshake where it names none of ours."""
        if request.transport is not None:
            tune(request.transport)
        shook, peer = _who(request)
        named = _host_named(headers.get("host", ""))
        host = named.lower() if named.lower() in self.endpoint.hosts else None
        entry = self.journal.emit(
            "request",
            host or (shook.host if shook is not None else clipped(named.lower()) or None),
            check_in.device if check_in is not None else device_in(request.path),
            request=next(self._numbers),
            handshake=shook.number if shook is not None else None,
            server_name=shook.hello.server_name if shook is not None and shook.hello is not None else None,
            peer=peer,
            method=request.method,
            path=clipped(request.path_qs),
            http=f"{request.version.major}.{request.version.minor}",
            range=clipped(headers["range"]) if "range" in headers else None,
            headers=_clipped_headers(headers),
        )
        self.journal.requests.append(entry)
        return entry

    def _answer(
        self,
        request: web.BaseRequest,
        headers: Mapping[str, str],
        check_in: CheckIn | None,
        host: str | None,
        device: str | None,
    ) -> tuple[Answer, Mapping[str, Fault]]:
        """What is answered, and what goes wrong in the body of it."""
        if request.method not in ("GET", "HEAD"):
            return Answer(405, "only GET and HEAD", {"Allow": "GET, HEAD"}), {}
        wrong = self.faults.take(ANSWER_FAULTS, host, device)
        heads = self.faults.take(HEAD_FAULTS, host, device) if request.method == "HEAD" and not wrong else {}
        for fault in (*wrong.values(), *(fault for fault in heads.values() if fault.kind == "head")):
            return _wrong_answer(fault), wrong or heads
        wants_part = request.method == "GET" and "range" in headers
        faults = dict(self.faults.take(("no-range",), host, device)) if wants_part else {}
        is_part = request.method == "GET" and not faults  # only GET has ranges (RFC 9110 §14.2)
        plain = headers if is_part else {name: value for name, value in headers.items() if name != "range"}
        answer = answer_to(request.path, plain, check_in, self.files, self.policy)
        if faults:
            answer = replace(
                answer, headers={name: value for name, value in answer.headers.items() if name != "Accept-Ranges"}
            )
        if answer.size and request.method == "GET":
            kinds = [kind for kind in BODY_FAULTS if kind != "no-range"]
            faults |= self.faults.take(kinds, host, device, answer.size)
        return answer, {**faults, **heads}

    # -- what is told --------------------------------------------------------------------------------------------------

    def _check_in(self, asked: Event, check_in: CheckIn, answer: Answer) -> None:
        content = {
            **_clipped_all({name: value for name, value in asdict(check_in).items() if name != "device"}),
            **_exchange_of(asked),
            "handshake": asked["handshake"],
            "time": time.time(),
            "status": answer.status,
            "why": answer.why,
        }
        self.journal.check_ins.append(self.journal.emit("check-in", asked["host"], asked["device"], **content))

    def _progress(self, asked: Event, answer: Answer) -> Any:
        def emit(sent: int, unacknowledged: int) -> None:
            self.journal.emit(
                "progress",
                asked["host"],
                asked["device"],
                **_exchange_of(asked),
                sent=sent,
                of=answer.size,
                start=answer.start,
                unacknowledged=unacknowledged,
            )

        return emit

    def _shook(self, handshake: Handshake) -> None:
        event = "disconnected" if handshake.ending else "handshake"
        fields = handshake.to_dict()
        self.journal.emit(event, fields.pop("host"), None, **fields)


def _exchange_of(asked: Event) -> Event:
    """What everything tells that becomes of a request: which it is, and when it began."""
    return {"request": asked["request"], "began_ns": asked["at_ns"]}


def _host_named(header: str) -> str:
    """The host that a Host header names, with a port or without."""
    return (host_of(header) or header).strip("[]")


def _who(request: web.BaseRequest) -> tuple[Handshake | None, str]:
    """The handshake behind a request, where there was one, and the address it came from."""
    if request.transport is None:
        return None, "?"
    address = request.transport.get_extra_info("peername")
    return request.transport.get_extra_info("handshake"), format_address(*address[:2]) if address else "?"


def _clipped_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A request's headers as they are told of: not all of too many, nothing long, and no secret."""
    clipped_fields = {
        clipped(name): "…" if name in SECRET_HEADERS else clipped(value)
        for name, value in islice(headers.items(), MOST_HEADERS)
    }
    return (
        clipped_fields
        if len(headers) <= MOST_HEADERS
        else {**clipped_fields, "…": f"{len(headers) - MOST_HEADERS} more"}
    )


def _clipped_all(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Texts of a check-in, however deep, as they are told of."""
    return {
        name: clipped(value) if isinstance(value, str) else _clipped_all(value) if isinstance(value, dict) else value
        for name, value in fields.items()
    }


def _wrong_answer(fault: Fault) -> Answer:
    """What is answered in place of everything else."""
    if fault.kind == "redirect":
        return Answer(fault.at or 302, "redirect on demand", {"Location": fault.to or "/"})
    if fault.kind == "empty":
        return Answer(200, "empty on demand", {"Content-Type": "application/octet-stream"})
    if fault.kind == "unauthorized":
        return Answer(401, "unauthorized on demand", {"WWW-Authenticate": fault.to} if fault.to else {})
    asks = {"WWW-Authenticate": 'Basic realm="rig"'} if fault.at == 401 else {}
    return Answer(fault.at or 404, "HEAD refused on demand" if fault.kind == "head" else "status on demand", asks)
