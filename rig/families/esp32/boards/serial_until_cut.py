"""Work over an ESP32's serial port that a cut may end in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rig.drivers.progress import Watcher
from rig.errors import LabFault
from rig.families.esp32.boards.board import Esp32
from rig.families.esp32.drivers.loader import RomLoader


def until_cut(board: Esp32, work: Callable[[RomLoader], None], watch: Watcher) -> None:
    """Do something with the loader that a cut may end. Raises LabFault when the supply is gone."""
    failed: list[Exception] = []
    with board.loader(watch) as rom:

        def run() -> None:
            try:
                work(rom)
            except Exception as error:  # whatever it is, whoever waits below is to know
                failed.append(error)

        thread = threading.Thread(target=run, name="serial path", daemon=True)
        thread.start()
        while thread.is_alive() and board.relay.get():
            thread.join(0.05)
        if thread.is_alive():
            rom.close()
            thread.join(1.0)
            raise LabFault("the supply is gone", board=board.name)
    if failed:
        raise failed[0]
