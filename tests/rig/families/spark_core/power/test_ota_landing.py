"""Landings of cuts in an update over the air, and trials that leave nothing going on behind them."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import pytest

from rig.clock import Clock
from rig.errors import LabFault
from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.online import Online, UpdateUnderWay
from rig.families.spark_core.campaign.ota_trial import CloudUpdate
from rig.families.spark_core.drivers.cloud import SparkCloudClient
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.power.ota_landing import Download
from rig.power.trigger import Aim
from tests.rig.families.spark_core.twin.models import ROLES, core_in_memory, settle
from tests.rig.waiting import HANGS

SECTOR = layout.EXTERNAL_SECTOR
MARKED = (b"mark".ljust(SECTOR, b"\xff")) * (layout.SLOT_SIZE // SECTOR)
SENT = bytes(range(1, 255)) * 300
BLANK = b"\xff" * SECTOR
RUNNING = SystemFlags(nvmem=0, ota=layout.OTA_RUN, flashed=0).pack()
NEEDED = -(-len(SENT) // SECTOR)

#: The slot a cut left, and the landing's phase, address and how it is known.
SLOTS = {
    "untouched": (MARKED, ("outside", None, "read-back")),
    "the first sector torn": (b"\xff" * 2 + MARKED[2:], ("download-erase", 0, "read-back")),
    "five sectors erased": (BLANK * 5 + MARKED[5 * SECTOR :], ("download-erase", 5 * SECTOR, "read-back")),
    "as many as 0.4 erases": (
        BLANK * NEEDED + MARKED[NEEDED * SECTOR :], ("download-erase", NEEDED * SECTOR, "inferred"),
    ),
    "all erased": (BLANK * 32, ("download", 0, "inferred")),
    "a chunk written": (SENT[:256].ljust(len(MARKED), b"\xff"), ("download", 256, "read-back")),
    "half written": (SENT[:40_000].ljust(len(MARKED), b"\xff"), ("download", 40_000, "read-back")),
    "half written by 0.4": (
        SENT[:40_000].ljust(NEEDED * SECTOR, b"\xff") + MARKED[NEEDED * SECTOR :], ("download", 40_000, "read-back"),
    ),
    "all written": (SENT.ljust(len(MARKED), b"\xff"), ("download", None, "inferred")),
}  # fmt: skip


@pytest.mark.parametrize("case", SLOTS)
def test_a_landing_in_the_download_is_told_by_the_slot(case):
    slot, (phase, offset, known_by) = SLOTS[case]
    download = Download(b"A" * 64, RUNNING, b"B" * 64, MARKED, SENT, ["hello-sent", "begin-sent"])
    landing = download.locate(b"A" * 64, RUNNING, b"B" * 64, slot)
    address = None if offset is None else layout.OTA_ADDRESS + offset
    assert (landing.phase, landing.address, landing.known_by) == (phase, address, known_by)


class FakeCloud:
    """A cloud whose Core comes online once it is told to; counts updates."""

    def __init__(self):
        self.cores, self.updates = [], 0

    def ask(self, do, **_content):
        return {"cores": list(self.cores)} if do == "list" else {"done": True}

    def flash(self, *_args, **_how):
        self.updates += 1
        return {"ok": True, "reason": ""}

    @contextlib.contextmanager
    def events(self, *_args, **_content):
        over = threading.Event()
        try:
            yield silence(over)
        finally:
            over.set()


def silence(over):
    """Events that do not come, until nobody listens any more."""
    over.wait(HANGS)
    yield from ()


def test_a_trial_that_lost_its_supply_begins_no_update_behind_our_back():
    cloud = FakeCloud()
    fed = threading.Event()
    fed.set()
    line = SimpleNamespace(on=lambda: None, off=lambda: None, get=lambda: False, set=lambda _pressed: None)
    usb = SimpleNamespace(identity=lambda: None)
    tags = {"wifi": "joined", "core_id": "00" * 12, "timing_scale": "0.1"}
    board = SparkCore("core-01", relay=line, mode=line, usb=usb, cloud=cloud, tags=tags)
    trial = CloudUpdate(ROLES["new"], Aim("hello"))
    with pytest.raises(LabFault, match="the supply is gone"):
        trial.start(board, lambda _progress: None)
    cloud.cores.append({"core": "00" * 12, "since": 5.0})
    for thread in threading.enumerate():
        if isinstance(thread, UpdateUnderWay):
            thread.join(HANGS)
    assert cloud.updates == 0


def test_a_board_is_switched_off_though_its_cloud_is_away():
    opened = []
    line = SimpleNamespace(on=lambda: None, off=lambda: opened.append(True), get=lambda: False)
    usb = SimpleNamespace(identity=lambda: None)
    tags = {"wifi": "joined", "core_id": "00" * 12}
    board = SparkCore("core-01", relay=line, mode=None, usb=usb, cloud=SparkCloudClient.at("127.0.0.1:9"), tags=tags)
    board.power_off()
    assert opened == [True]


def test_whatever_ends_an_update_is_told_to_who_asks_for_its_result():
    work = UpdateUnderWay(lambda: {}["ok"])
    work.start()
    with pytest.raises(KeyError):
        work.result()


def test_a_cloud_that_dies_in_the_middle_of_an_answer_is_a_lab_fault(tmp_path):
    import socket

    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        peer, _ = server.accept()
        peer.recv(1000)
        peer.sendall(b'{"done": tr')
        peer.close()

    threading.Thread(target=answer, daemon=True).start()
    client = SparkCloudClient.at("{}:{}".format(*server.getsockname()))
    with pytest.raises(LabFault, match="cut off in an answer"):
        client.ask("list")
    online = Online(client, "00" * 12, board="core-01", clock=Clock())
    server.close()
    with pytest.raises(LabFault) as fault:
        online.info()
    assert fault.value.board == "core-01"


def test_a_settled_core_is_not_disturbed_by_a_button_that_was_let_go():
    board = core_in_memory()
    board.press_mode(True, 0)
    board.press_mode(False, 0.1)
    board.power_on(1)
    settle(board)
    assert not board.listening_wanted
