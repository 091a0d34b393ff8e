"""Planted faults of the virtual relay: channels, and boards that are being dialled."""

from __future__ import annotations

from rig.twin import relay as relay_module
from tests.rig.twin import checks_relay as check


def _wrong_wire(self, channel, closed):
    self.closed[channel] = closed
    self._send(self.wires[0], self.wires[0].request(closed))


MUTANTS = {
    "relay: every channel moves the first line": (
        lambda m: m.setattr(relay_module.Relay, "switch", _wrong_wire),
        check.a_relay_channel_moves_its_own_line,
    ),
    "relay: of what comes while a board is dialled, the last counts": (
        lambda m: m.setattr(relay_module, "_MOST_PENDING", 1),
        check.what_a_board_is_told_while_it_is_dialled_arrives_in_order,
    ),
}
