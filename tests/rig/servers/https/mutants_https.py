"""Planted faults of the TLS endpoint and the update server for test_mutants."""

from __future__ import annotations

from dataclasses import replace

from rig import lines
from rig.formats.tls_records import ClientHello
from rig.servers.https import answer, control, policy, server
from rig.servers.https.connection import HttpConnection
from rig.servers.https.faults import Faults
from rig.servers.https.journal import Journal
from rig.servers.https.published_files import Published
from rig.trust.tls import connection as endpoint_connection
from rig.trust.tls import context as endpoint_context
from rig.trust.tls import handshake as endpoint_handshake
from rig.trust.tls import transport as endpoint_transport
from rig.trust.tls.connection import TlsConnection
from rig.trust.tls.context import HandshakeContexts, TlsSettings
from rig.trust.tls.endpoint import Endpoint, EndpointHost
from tests.rig.servers.https import checks_https as of_https
from tests.rig.servers.https import checks_update_server as of_askers
from tests.rig.servers.https import test_guards as of_guards
from tests.rig.servers.https import test_semantics as of_semantics
from tests.rig.servers.https.checks_https import on_lab

REAL_RELEASE = control.UpdateServerControl._release
REAL_BEGIN, NO_SESSION = HandshakeContexts.context, ClientHello((0x0303,), (0xC02B,), None)
REAL_SHOW, REAL_SWAP, REAL_ANSWER, REAL_CHOOSE, REAL_TAKE = (
    EndpointHost.show,
    Endpoint.swap,
    server.answer_to,
    Endpoint.choose,
    Faults.take,
)


def _everybodys(_journal, of, _number, *, after, device, most):
    return list(of)[:most]


def _host_by_host(endpoint, settings, client=None):
    for name, wanted in settings.items():
        host = endpoint.met_by(client, name)
        host.show(host.identity, wanted)


def _only_note(host, identity, settings):
    if hasattr(host, "context"):
        host.identity = identity
    else:
        REAL_SHOW(host, identity, settings)


def _drop_what_runs(endpoint, *what, **named):
    for connection in list(endpoint._connections):
        connection.abort()
    return REAL_SWAP(endpoint, *what, **named)


def _lose_alerts(m):
    for module in (endpoint_connection, endpoint_transport):
        m.setattr(module, "received_alert", lambda _error: None)
    m.setattr(TlsConnection, "_alert", None)


def _keep_sessions(m):
    one = TlsSettings().context()
    m.setattr(TlsSettings, "context", lambda _settings: one)


def _always_new(path, headers, told, *rest):
    return REAL_ANSWER(path, headers, replace(told, version=None) if told is not None else None, *rest)


def _over_and_over(self, *what, **named):
    waiting = list(self._waiting)
    taken = REAL_TAKE(self, *what, **named)
    self._waiting = waiting
    return taken


async def _offered_first(self, request):
    release = policy.Release(request.version, Published("/soon", b""))
    self._served.policy.release(request.product, release)
    async for told in REAL_RELEASE(self, request):
        yield told


class _NoLock:
    """A lock that keeps nobody out."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_exc):
        return None


def _without_locks(m):
    real = control.UpdateServerControl.__init__

    def made(self, *how, **named):
        real(self, *how, **named)
        self._issuing = _NoLock()

    m.setattr(control.UpdateServerControl, "__init__", made)


MUTANTS = {
    "update server: pages are served": (
        lambda m: m.setattr(server, "is_of_a_page", lambda _headers: False),
        of_askers.a_page_uses_up_no_fault,
    ),
    "update server: a release is offered before it is there": (
        lambda m: m.setattr(control.UpdateServerControl, "_release", _offered_first),
        of_askers.a_release_without_room_is_offered_to_nobody,
    ),
    "update server: a release's image can be taken away": (
        lambda m: m.setattr(policy.Policy, "images", lambda _policy: set()),
        of_askers.a_releases_image_stays_as_long_as_it_is_released,
    ),
    "update server: two may add one name": (_without_locks, of_askers.a_name_is_one_identitys),
    "control: whoever left something unread has not left": (
        lambda m: m.setattr(lines.Lines, "at_end", property(lambda self: not self._came and self._reader.at_eof())),
        of_askers.who_has_left_hears_no_more,
    ),
    "endpoint: a record loses alerts": (_lose_alerts, on_lab(of_https.a_wrong_pin_is_proved)),
    "endpoint: it keeps sessions": (_keep_sessions, on_lab(of_https.no_session_is_resumed)),
    "endpoint: who offers a session shares a context with others": (
        lambda m: m.setattr(HandshakeContexts, "context", lambda begun, _hello: REAL_BEGIN(begun, NO_SESSION)),
        on_lab(of_https.no_session_is_resumed),
    ),
    "endpoint: a context is shared for ever, with all its sessions": (
        lambda m: m.setattr(endpoint_context, "MOST_SESSIONS", 1 << 20),
        of_https.a_shared_context_is_given_up_in_time,
    ),
    "endpoint: it keeps serving the old chain": (
        lambda m: m.setattr(EndpointHost, "show", _only_note),
        on_lab(of_https.new_handshakes_see_the_new_chain),
    ),
    "endpoint: a swap drops downloads that run": (
        lambda m: m.setattr(Endpoint, "swap", _drop_what_runs),
        on_lab(of_https.running_downloads_end_undisturbed),
    ),
    "endpoint: everybody meets the first host": (
        lambda m: m.setattr(Endpoint, "choose", lambda self, _hello, handshake: REAL_CHOOSE(self, None, handshake)),
        on_lab(of_https.hosts_are_chosen_by_name),
    ),
    "update server: Range is ignored": (
        lambda m: m.setattr(answer, "read_range", lambda _text, _size: None),
        on_lab(of_https.a_part_is_the_one_that_was_asked_for),
    ),
    "update server: Content-Range is off by one": (
        lambda m: m.setattr(answer, "content_range", lambda start, stop, size: f"bytes {start}-{stop}/{size}"),
        on_lab(of_https.a_part_is_the_one_that_was_asked_for),
    ),
    "update server: 304 is never said": (
        lambda m: m.setattr(server, "answer_to", _always_new),
        on_lab(of_https.an_update_is_offered_once),
    ),
    "update server: every file has one tag": (
        lambda m: m.setattr(Published, "etag", '"old"'),
        on_lab(of_https.what_has_not_changed_is_not_sent_again),
    ),
    "update server: a stage is for everybody": (
        lambda m: m.setattr(policy, "share", lambda _product, _version, _device: 0.0),
        of_https.stages_grow_and_take_nobody_back,
    ),
    "update server: a fault happens over and over": (
        lambda m: m.setattr(Faults, "take", _over_and_over),
        on_lab(of_https.a_fault_happens_once),
    ),
    "update server: releases are never taken back": (
        lambda m: m.setattr(policy.Policy, "withdraw", lambda *_of: []),
        on_lab(of_guards.test_nothing_is_left_of_what_was_done_for_a_board),
    ),
    "update server: faults are never cleared": (
        lambda m: m.setattr(Faults, "clear", lambda *_of: None),
        on_lab(of_guards.test_nothing_is_left_of_what_was_done_for_a_board),
    ),
    "update server: a client's own identities are never forgotten": (
        lambda m: m.setattr(Endpoint, "forget", lambda *_of: None),
        on_lab(of_guards.test_nothing_is_left_of_what_was_done_for_a_board),
    ),
    "update server: its log is everybody's": (
        lambda m: m.setattr(Journal, "last", _everybodys),
        on_lab(of_guards.test_what_a_board_asked_for_is_found_among_what_many_others_did),
    ),
    "update server: settings are taken host by host": (
        lambda m: m.setattr(Endpoint, "set_all", _host_by_host),
        on_lab(of_guards.test_settings_for_all_hosts_are_taken_by_all_or_by_none),
    ),
    "update server: who sends no more is hung up on": (
        lambda m: m.setattr(HttpConnection, "eof_received", lambda self: self.force_close()),
        on_lab(lambda lab: of_semantics.test_who_closes_its_half_gets_all_it_asked_for_and_is_hung_up_on(lab, 1)),
    ),
    "update server: what is no request leaves no trace": (
        lambda m: m.setattr(server.UpdateServer, "_not_a_request", lambda *_who: None),
        on_lab(of_semantics.what_is_no_request_is_in_the_log),
    ),
    "endpoint: a client is what comes before the last colon": (
        lambda m: m.setattr(endpoint_handshake, "host_of", lambda peer: peer.rpartition(":")[0]),
        of_https.a_client_with_colons_is_known_by_its_address,
    ),
    "update server: it logs what is secret": (
        lambda m: m.setattr(server, "SECRET_HEADERS", ()),
        on_lab(of_https.no_secret_is_logged_or_told),
    ),
}
