"""What every driver of an ESP32 must keep to: buttons, serial path, console.

On hardware these need an environment file and nothing else; they write to the end of flash, which no layout uses.
"""

from __future__ import annotations

import pytest

from rig.errors import LabFault

pytestmark = pytest.mark.board("esp32", boot="wired", bridge="always")
SCRATCH, PATTERN = 0x3F_0000, bytes(range(256)) * 20


@pytest.fixture(autouse=True)
def handled_directly(bench):
    """These go past the board to its drivers: whatever it is in afterwards, it is not its known state."""
    yield
    bench.board.known = False


def test_power_comes_back_with_the_roms_banner(bench):
    bench.board.start()
    bench.board.must.say(rb"rst:0x1 \(POWERON_RESET\)", bench.board.timing.banner)


@pytest.mark.long
def test_a_console_that_opens_does_not_throw_the_board_into_download_mode(bench):
    bench.board.start()
    bench.board.must.be_alive(bench.board.timing.start)
    with bench.board.console.released():
        pass
    bench.board.must.not_say(rb"waiting for download", bench.board.timing.banner)
    assert bench.board.log.starts() == 1, "nor does it restart it"


@pytest.mark.long
def test_en_starts_it_anew(bench):
    if not bench.board.has_reset:
        pytest.skip("not run here: EN is not wired")
    bench.board.start()
    bench.board.must.be_alive(bench.board.timing.start)
    bench.board.press_reset()
    bench.board.must.be_alive(bench.board.timing.start)


@pytest.mark.long
def test_what_the_serial_path_wrote_it_reads_back_erases_and_tells(bench):
    steps = []
    with bench.board.loader(steps.append) as rom:
        rom.write(SCRATCH, PATTERN)
        assert rom.read(SCRATCH, len(PATTERN)) == PATTERN
        rom.erase(SCRATCH, 0x2000)
        assert rom.read(SCRATCH, len(PATTERN)) == b"\xff" * len(PATTERN)
    assert {"erase", "program", "read"} <= {progress.phase for progress in steps}
    assert [each.done for each in steps if each.phase == "program"][-1] == len(PATTERN)


@pytest.mark.long
def test_dtr_and_rts_bring_a_running_board_into_download_mode_and_back(bench):
    bench.board.start()
    bench.board.must.be_alive(bench.board.timing.start)
    with bench.board.loader(resets=True) as rom:
        assert rom.mac.replace(":", "") == bench.board.tags["mac"]
        rom.restart()
    bench.board.hang_up()
    bench.board.must.say(rb"app_init: App version", bench.board.timing.start)


@pytest.mark.long
def test_a_board_that_loses_power_is_a_lab_fault_that_names_it(bench):
    def read_without_power():
        with bench.board.loader() as rom:
            bench.board.relay.off()
            rom.read(0, 0x4000)

    with pytest.raises(LabFault) as lost:
        read_without_power()
    assert lost.value.board == bench.board.name
    bench.board.power_on()
