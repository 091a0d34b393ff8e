"""Planted faults of control ports for test_mutants."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rig import files
from rig.control import control_socket, token
from rig.control.web_pages import WebPages
from rig.drivers import control_client
from rig.servers import control_port
from rig.servers.allowed_files import AllowedFiles
from rig.twin import listening_port, shelly
from rig.twin.control import ControlServer
from tests.rig.cli import test_private_files
from tests.rig.control import checks_control
from tests.rig.families.spark_core.twin import checks_starts

REAL_WRITE = control_port.ControlPort._write
REAL_BOUND, REAL_MAKE, REAL_REFUSAL = control_socket._bound, token.make_token, WebPages.refusal


def _skip_what_is_none(_control_socket, line):
    try:
        output = json.loads(line)
    except (ValueError, RecursionError):
        output = {}
    return output if isinstance(output, dict) else {}


def _everybodys_socket(path):
    sock = REAL_BOUND(path)
    path.chmod(0o666)
    return sock


def _everybodys_token(path):
    made = REAL_MAKE(path)
    path.chmod(0o644)
    return made


def _by_place_only(given, name, most):
    path = Path(name).resolve()
    given._check_place(path, name)
    return files.read_user_file(path, most)


async def _hanging_up(self, writer, *told):
    if len(str(told)) > self._limits.in_all:
        writer.transport.abort()
        raise TimeoutError
    await REAL_WRITE(self, writer, *told)


class _Without:
    """Headers of which one is not looked at."""

    def __init__(self, headers, lacking, instead):
        self._headers, self._lacking, self._instead = headers, lacking, instead

    def getall(self, key, default):
        return self._instead if key == self._lacking else self._headers.getall(key, default)


def _blind_to(header, *instead):
    return lambda m: m.setattr(
        WebPages, "refusal", lambda self, headers: REAL_REFUSAL(self, _Without(headers, header, list(instead)))
    )


MUTANTS = {
    "control client: whatever a stranger answers is believed": (
        lambda m: m.setattr(control_client, "misfit", lambda _value, _shape: None),
        checks_control.what_a_stranger_answers_is_not_believed,
    ),
    "control: long lines are kept of anybody": (
        lambda m: m.setattr(control_socket.ControlSocket, "knows", lambda _control_socket, _beginning: True),
        checks_control.strangers_have_no_room_for_long_lines,
    ),
    "control: HTTP is taken for a bad line": (
        lambda m: m.setattr(control_socket, "speaks_http", lambda said: False),
        checks_control.a_web_page_does_nothing_at_a_control_port,
    ),
    "control: bad lines are skipped": (
        lambda m: m.setattr(control_socket.ControlSocket, "parse_request", _skip_what_is_none),
        checks_control.a_web_page_does_nothing_at_a_control_port,
    ),
    "control: a bad line does not end the connection": (
        lambda m: m.setattr(control_socket.ControlSocket, "parse_request", _skip_what_is_none),
        checks_control.what_is_no_object_ends_the_connection,
    ),
    "control: any token will do": (
        lambda m: m.setattr(token.ControlToken, "matches", lambda self, said: isinstance(said, str)),
        checks_control.without_the_token_nothing_is_done,
    ),
    "control: two servers start at one socket": (
        lambda m: m.setattr(checks_starts, "PLANTED", "lock_file.fcntl.flock = lambda *_: None"),
        checks_starts.of_two_servers_that_find_one_socket_left_behind_one_listens,
    ),
    "control: everybody can open the socket": (
        lambda m: m.setattr(control_socket, "_bound", _everybodys_socket),
        checks_control.sockets_and_tokens_are_their_owners_alone,
    ),
    "control: everybody can read the token": (
        lambda m: m.setattr(token, "make_token", _everybodys_token),
        checks_control.sockets_and_tokens_are_their_owners_alone,
    ),
    "files: links lead out of given folders": (
        lambda m: m.setattr(AllowedFiles, "_check_place", lambda self, path, name: None),
        checks_control.only_plain_files_of_given_folders_are_read,
    ),
    "files: a second name is read": (
        lambda m: m.setattr(AllowedFiles, "read", _by_place_only),
        checks_control.only_plain_files_of_given_folders_are_read,
    ),
    "files: a pipe is a file": (
        lambda m: m.setattr(files.stat, "S_ISREG", lambda mode: True),
        checks_control.only_plain_files_of_given_folders_are_read,
    ),
    "relay: pages of any origin switch it": (_blind_to("Origin"), checks_control.no_web_page_switches_a_relay),
    "relay: any name leads to it": (_blind_to("Host", "localhost"), checks_control.no_web_page_switches_a_relay),
    "relay: what browsers say is not heard": (
        _blind_to("Sec-Fetch-Site"),
        checks_control.no_web_page_switches_a_relay,
    ),
    "state: flash of before stays everybody's": (
        lambda m: m.setattr(os, "fchmod", lambda _file, _mode: None),
        test_private_files.test_files_and_folders_of_before_are_closed_when_a_twin_takes_them,
    ),
    "state: a folder of before stays open": (
        lambda m: m.setattr(Path, "chmod", lambda _path, _mode: None),
        test_private_files.test_files_and_folders_of_before_are_closed_when_a_twin_takes_them,
    ),
    "control: servers of one port share a token": (
        lambda m: m.setattr(token, "_names", lambda address: [f"{address.port}.token"]),
        checks_control.servers_of_one_port_have_tokens_of_their_own,
    ),
    "control: a fault of the disk ends the connection": (
        lambda m: m.setattr(ControlServer, "answer", lambda self, request: self._handlers[request["do"]](request)),
        checks_control.a_fault_of_the_disk_is_told,
    ),
    "control: whoever asks for too much is hung up on": (
        lambda m: m.setattr(control_port.ControlPort, "_write", _hanging_up),
        checks_control.an_answer_that_is_too_long_is_told,
    ),
    "serial: TLS is typed": (
        lambda m: m.setattr(listening_port, "speaks_tls", lambda said: False),
        checks_control.no_web_page_types_at_a_serial_port,
    ),
    "serial: HTTP is typed": (
        lambda m: m.setattr(listening_port, "speaks_http", lambda said: False),
        checks_control.no_web_page_types_at_a_serial_port,
    ),
    "relay: nobody is refused": (
        lambda m: m.setattr(shelly.WebPages, "refusal", lambda self, headers: None),
        checks_control.no_web_page_switches_a_relay,
    ),
}
