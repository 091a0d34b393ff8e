"""A virtual relay on real ports, in this process."""

from __future__ import annotations

import contextlib

from rig.clock import Clock, poll
from rig.drivers.relay import ModbusContact
from rig.twin.relay import Relay, RelayServers
from tests.rig.loop_thread import LoopThread


@contextlib.contextmanager
def relay_servers(wires, password=None):
    servers = RelayServers(Relay(wires), password)
    with contextlib.closing(LoopThread()) as loop:
        ready = loop.run(servers.start("127.0.0.1", 0, 0))
        try:
            yield servers, ready["modbus"]["port"], f"http://127.0.0.1:{ready['http']['port']}"
        finally:
            loop.run(servers.close())


def contact(port, coil=0, inverted=False):
    return ModbusContact("127.0.0.1", port, coil, inverted=inverted, board="core-01")


def becomes(core, **wanted) -> bool:
    """Whether a board's status comes to hold what is wanted: the wire takes its time."""

    def look():
        status = core.call("status")
        return all(status[key] == value for key, value in wanted.items())

    return bool(poll(look, seconds=3, clock=Clock()))
