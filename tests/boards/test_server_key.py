"""The server's key is changed under a Core that pinned the old one: who is locked out, and how it comes back (§7.3)."""

from __future__ import annotations

import pytest
from generations import on_generations

from rig.boards.core_keys import read_core_key, read_server_record, write_core_key, write_server_record
from rig.boards.provisioning import read_core_id
from rig.formats.spark_keys import ServerRecord


@pytest.fixture
def swapped(online):
    """A cloud that is another server to this Core from the next handshake on; afterwards it is the old one again."""
    swapped = online.client.ask("swap-key", core=online.core_id)
    yield bytes.fromhex(swapped["public_key"])
    online.client.ask("restore-key", core=online.core_id)


def is_offline(board) -> bool:
    """Whether a Core that was just started does not come online, though its application runs and its console works."""
    assert not board.is_alive(board.timing.start)
    board.make_listen()
    assert read_core_id(board.console, board=board.name, seconds=board.timing.start) == board.tags["core_id"]
    return not board.online.is_back()


@on_generations("b", always="b", wifi="joined")
def test_a_key_swapped_while_idle_locks_a_core_out_from_its_next_start_on(bench, online, swapped, generation):
    assert online.describe()["f"], "whoever is online stays so"
    bench.board.start()
    assert is_offline(bench.board)
    online.client.ask("restore-key", core=online.core_id)
    bench.board.start()
    assert bench.board.go_online()["online"], "swapped back, it comes back by itself"


@on_generations("b", always="", wifi="joined")
def test_a_key_swapped_while_the_core_is_off_locks_it_out(bench, online, generation):
    bench.board.power_off()
    online.client.ask("swap-key", core=online.core_id)
    bench.board.power_on()
    assert is_offline(bench.board)
    online.client.ask("restore-key", core=online.core_id)


@on_generations("b", always="", wifi="joined")
def test_a_key_swapped_in_the_middle_of_an_update_installs_it_and_then_locks_the_core_out(
    bench, online, image, known_defect, generation
):
    update = online.begin_update(image("full"))
    online.forget()
    online.client.ask("swap-key", core=online.core_id)
    assert not bench.board.is_alive(bench.board.timing.ota_copy)
    assert bench.board.read_application(len(image("full"))) == image("full").data
    online.client.ask("restore-key", core=online.core_id)
    bench.board.start()
    bench.board.go_online()
    assert update.result()["ok"], "the flag waited for the server to come back"
    known_defect("key-swap-locks-core-out")


@on_generations("b", always="", wifi="joined")
def test_key_and_address_written_over_dfu_bring_a_core_to_the_new_server(bench, online, swapped, generation):
    bench.board.enter_dfu()
    before = read_server_record(bench.board)
    write_server_record(bench.board, ServerRecord(swapped, "10.20.30.40"))
    bench.board.start()
    assert bench.board.go_online()["online"]
    bench.board.enter_dfu()
    assert read_server_record(bench.board) == ServerRecord(swapped, "10.20.30.40")
    write_server_record(bench.board, before)


@on_generations("b", always="", wifi="joined")
def test_a_damaged_device_key_is_offline_and_not_bricked(bench, online, generation):
    bench.board.enter_dfu()
    key = read_core_key(bench.board)
    write_core_key(bench.board, key[:200] + bytes(100) + key[300:])
    try:
        bench.board.start()
        assert is_offline(bench.board)
    finally:
        bench.board.enter_dfu()
        write_core_key(bench.board, key)
    bench.board.start()
    assert bench.board.go_online()["online"]


@on_generations("b", always="", wifi="joined")
@pytest.mark.parametrize("kind", ["wrong-signature", "wrong-key", "close-after-handshake"])
def test_a_man_in_the_middle_keeps_a_core_offline_only_while_he_is_there(bench, online, kind, generation):
    online.fault(kind, times=1_000_000)
    try:
        bench.board.start()
        assert is_offline(bench.board)
    finally:
        online.client.ask("clear-faults", core=online.core_id)
    bench.board.start()
    assert bench.board.go_online()["online"]
