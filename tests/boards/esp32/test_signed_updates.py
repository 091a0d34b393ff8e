"""Signed updates without hardware secure boot, and anti-rollback: the reference's §5.3 and §3.3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.clock import poll
from rig.families.esp32.boards.golden import golden_set
from rig.families.esp32.firmware.signing import SIGNED_VARIANTS, Keys, sign_variant
from rig.families.esp32.formats.partition_table import PartitionTable
from rig.firmware.outcomes import Became

pytestmark = pytest.mark.long
#: More than any image of these suites with its signature.
WHOLE_IMAGE = 0x20000


@pytest.fixture(scope="session")
def keys():
    return Keys.make()


@pytest.fixture
def signed_board(bench, image, keys):
    """A board whose running image is signed with the trusted key, and whose other slot holds no signature of before."""
    golden = golden_set({**bench.roles, "old": signed(image("old"), keys)})
    other = golden.table.slot(1)
    with bench.board.loader() as rom:
        rom.erase(other.offset, WHOLE_IMAGE)
    bench.board.flash(golden)
    return bench.board


def signed(image, keys):
    return replace(image, data=sign_variant(image.data, "signed", keys))


@pytest.mark.firmware("signed")
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_update_signed_with_the_same_key_is_taken(signed_board, image, keys):
    board = signed_board
    board.updates.offer(sign_variant(image("new").data, "signed", keys))
    board.start()
    board.must.run(image("new"), board.timing.update)


@pytest.mark.parametrize("variant", [name for name in SIGNED_VARIANTS if name != "signed"])
@pytest.mark.firmware("signed")
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_every_other_signature_is_refused_and_the_old_image_goes_on(signed_board, image, keys, variant):
    board = signed_board
    board.updates.offer(sign_variant(image("new").data, variant, keys))
    board.start()
    board.must.say(rb"upgrade failed", board.timing.update)
    board.updates.withdraw()
    board.start()
    board.must.be_alive(board.timing.start)
    assert board.log.version() == image("old").version


@pytest.mark.firmware("signed")
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_unsigned_copy_where_its_signature_of_before_still_lies(signed_board, image, as_expected, keys):
    board = signed_board
    slot = PartitionTable.parse(image("table").data).slot(1)
    with board.loader() as rom:
        rom.write(slot.offset, signed(image("new"), keys).data)
    board.updates.offer(image("new").data)
    board.start()
    runs = poll(lambda: board.log.version() == image("new").version, seconds=board.timing.update, clock=board.clock)
    as_expected.of("https", "an unsigned copy where its signature still lies", Became("new" if runs else "old"))


@pytest.mark.usefixtures("may_destroy")
@pytest.mark.firmware("anti-rollback")
@pytest.mark.board("esp32", boot="wired", bridge="always")
def test_an_older_secure_version_is_refused(bench, image):
    board = bench.board
    board.updates.offer(image("new").data)
    board.start()
    board.must.say(rb"upgrade failed", board.timing.update)
    board.updates.withdraw()
    board.start()
    board.must.be_alive(board.timing.start)
    assert board.log.version() == image("old").version
