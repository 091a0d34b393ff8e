"""Named checks of test_mutants about the Spark cloud: cipher, keys, updates over real TCP, landings."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rig.errors import DeviceFault, Misuse, RigError
from rig.families.spark_core.boards.online import Online
from rig.families.spark_core.formats import cipher as spark_cipher
from rig.families.spark_core.formats import flash as layout
from rig.families.spark_core.formats import handshake as spark_handshake
from rig.families.spark_core.formats.coap import Code, Message
from rig.families.spark_core.formats.core_key_der import read_core_key
from rig.families.spark_core.formats.flash import SystemFlags
from rig.families.spark_core.power import ota_landing
from rig.families.spark_core.servers import core_keys
from rig.families.spark_core.servers.delay_line import DelayLine
from rig.families.spark_core.servers.disturbances import Disturbance
from rig.families.spark_core.trust import core_key
from tests.rig.families.spark_core.servers.cloud_lab import CORE_ID, SERVER_KEY, spark_lab
from tests.rig.families.spark_core.twin.checks_online import CHUNKS, CREDENTIALS, NEW, SIZE
from tests.rig.families.spark_core.twin.misread_key import misread_key
from tests.rig.families.spark_core.twin.models import ROLES
from tests.rig.families.spark_core.twin.virtual_cloud import IMAGE, in_a_virtual_world, updated


def a_frame_is_chained_to_the_first_block_of_the_one_before(_folder):
    key, iv = bytes(range(16)), bytes(range(16, 32))
    sealer = spark_cipher.Sealer(key, iv)
    first = sealer.seal(b"a" * 40)[2:]
    second = sealer.seal(b"b")[2:]
    plain = Cipher(algorithms.AES(key), modes.CBC(first[:16])).decryptor().update(second)
    assert plain == b"b" + bytes([15]) * 15


def the_signature_is_bare(_folder):
    pair = core_key.make_core_key()
    public = core_keys.read_core_public_key(pair.public_pem.encode(), "x")
    reply = spark_handshake.answer(SERVER_KEY, public, CREDENTIALS)
    signed = pow(int.from_bytes(reply[128:], "big"), 65537, SERVER_KEY.public_key().public_numbers().n)
    sealed = reply[:128]
    assert signed.to_bytes(256, "big")[-21:] == b"\0" + spark_handshake.digest(CREDENTIALS, sealed)
    assert read_core_key(pair.private_der).decrypt(sealed) == CREDENTIALS.raw


def a_key_that_a_core_misreads_is_rejected(folder):
    keys = core_keys.CoreKeys(folder)
    rejected = False
    try:
        keys.add(CORE_ID, core_key._private_der(misread_key()))
    except Misuse:
        rejected = True
    assert rejected


def in_the_lab(folder, version, work):
    with spark_lab(folder) as lab:
        core = lab.core(version)
        lab.online()
        return work(lab, core)


def a_held_chunk_is_not_sent_twice(_folder):
    became = updated("0.3.4", False, Disturbance("hold", "chunk", 3, 3.5))
    assert (became.disturbed, became.told["sent"]) == (1, became.told["chunks"])


def a_shifted_image_is_no_success(_folder):
    became = updated("0.2.1", False, fault="duplicate")
    assert became.stored != IMAGE
    assert not became.told["ok"]


def after_a_hold_ok_means_that_the_image_is_the_one_that_was_sent(_folder):
    for message, number in (("chunk", 0), ("chunk", 7), ("received", 3), ("chunk-ack", 3)):
        became = updated("0.2.1", False, Disturbance("hold", message, number, 7.0))
        assert became.is_honest, message


def a_core_that_never_heard_update_done_has_applied_nothing(_folder):
    assert not updated("0.2.1", False, Disturbance("cut", "done")).told["ok"]


def a_fast_update_with_loss_is_judged_by_the_next_hello(_folder):
    became = updated("0.4.4", True, Disturbance("cut", "finished"), fault="drop")
    assert (became.told["ok"], became.told["missed"], became.stored == IMAGE) == (True, 1, True)


def no_other_update_begins_until_one_is_decided(_folder):
    """The next Hello's flag says only that something was applied: of two images under way it might be either."""

    async def work(world):
        await world.online()
        (session,) = world.cloud.sessions.values()
        send = session.connection.send
        session.connection.send = lambda plain: None if Message.parse(plain).code == Code.PUT else send(plain)
        first = asyncio.ensure_future(world.cloud.flash(session.core_id, IMAGE))
        await asyncio.sleep(32)
        assert not session.to_dict()["updating"], "a Core that only answers pings is silent"
        with suppress(Misuse):
            await world.cloud.flash(session.core_id, IMAGE)
            return "another was begun", False
        return (await first)["reason"], (await world.cloud.flash(session.core_id, IMAGE))["ok"]

    reason, ok = in_a_virtual_world("0.4.4", work)
    assert ("without having applied it" in reason, ok) == (True, True)


def a_forced_image_of_which_a_core_copies_a_part_is_no_success(_folder):
    too_large = IMAGE.ljust(layout.APP_SIZE + 4, b"x")

    async def work(world):
        await world.online()
        with suppress(Misuse):
            await world.cloud.flash(CORE_ID, too_large, chunk_size=512)
            return "was sent unforced"
        return await world.cloud.flash(CORE_ID, too_large, chunk_size=512, force=True)

    told = in_a_virtual_world("0.2.1", work)
    assert told != "was sent unforced"
    assert (told["ok"], told["acknowledged"]) == (False, True)
    assert "the image has 110,596 bytes, a Core copies 110,592" in told["reason"]


def a_core_that_refuses_update_begin_is_believed(_folder):
    """0.4 takes fewer than 65,535 chunks; up to 0.4.7 it says no by code 1 (spark_protocol.cpp:40 and 1056)."""

    async def work(world):
        await world.online()
        result = await world.cloud.flash(CORE_ID, bytes(65_535 * 256), force=True)
        return result["reason"], result["sent"], world.named("begin-sent")

    for version, code in (("0.4.4", "0.01"), ("0.4.9", "4.00")):
        reason, sent, begun = in_a_virtual_world(version, work)
        assert (f"refuses the update: {code}" in reason, sent, begun) == (True, 0, 1), reason


def a_core_that_only_hears_events_stays(_folder):
    async def work(world):
        await world.online()
        (session,) = world.cloud.sessions.values()
        session.subscriptions.append("lab")
        await world.pass_minutes(2, every=5, do=lambda: session.send_event("lab/tick", "x"))
        return session.over.done()

    assert not in_a_virtual_world("0.3.4", work)


def a_name_of_thirteen_bytes_is_refused(_folder):
    async def work(world):
        await world.online()
        (session,) = world.cloud.sessions.values()
        try:
            await session.call("thirteenchars")
        except RigError as refused:
            return refused.message
        return "asked"

    assert "1 to 12 bytes" in in_a_virtual_world("0.3.4", work)


def a_network_that_is_to_hold_a_message_does(_folder):
    line = DelayLine()
    line.put(b"held", 1.0, Disturbance("hold", "chunk", 0, 3.0))
    assert [line.take(at) for at in (3.9, 4.0)] == [b"", b"held"]


def an_update_counts_only_when_the_core_says_so(folder):
    def work(lab, _core):
        return lab.client.flash(CORE_ID, ROLES["crashing"].data, lambda _event: None)

    told = in_the_lab(folder, "0.2.1", work)
    assert told["acknowledged"]
    assert not told["ok"]


def the_last_chunk_is_padded_with_zeros(folder):
    def work(lab, core):
        lab.client.flash(CORE_ID, NEW.data, lambda _event: None)
        return core.core.memory.external.read(layout.OTA_ADDRESS, len(CHUNKS) * SIZE)

    assert in_the_lab(folder, "0.2.1", work) == b"".join(CHUNKS)


def landing(told, **changes) -> str:
    """The phase of a landing with a blank flags page and everything else as before."""
    before = {"area": b"A" * 8, "backup": b"B" * 8, "slot": b"C" * layout.EXTERNAL_SECTOR}
    flags = SystemFlags(nvmem=0, ota=layout.OTA_RUN, flashed=0).pack()
    after = {**before, "flags": b"\xff" * 10, **changes}
    download = ota_landing.Download(before["area"], flags, before["backup"], before["slot"], b"S" * 256, told)
    return download.locate(after["area"], after["flags"], after["backup"], after["slot"]).phase


def each_flags_window_is_told_apart(_folder):
    whole = (b"S" * 256).ljust(layout.EXTERNAL_SECTOR, b"\xff")
    assert landing(["hello-sent"]) == "hello"
    assert landing(["hello-sent", "begin-sent"]) == "begin"
    assert landing(["hello-sent", "begin-sent", "done-sent"], slot=whole) == "done"
    assert landing(["done-sent"], slot=whole, backup=b"A" * 8) == "mark"


def a_core_counts_as_back_once_it_has_answered(_folder):
    def ask(do, **_content):
        if do == "ping":
            raise DeviceFault("does not answer")
        return {"cores": [{"core": CORE_ID, "since": 1.0}]}

    online = Online(SimpleNamespace(ask=ask), CORE_ID, board="core-01", clock=None)
    assert not online.is_back(), "it may still be writing its flags"
