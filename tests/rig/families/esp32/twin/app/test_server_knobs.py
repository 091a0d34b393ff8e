"""Knobs of the rig's own update server, and servers of others, against clients of several releases: real TCP and TLS.

What each does is in formats/idf_client.py; by how many requests, and in which words, in test_esp_client_releases.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.ports import free_port
from rig.servers.https.faults import Fault
from tests.rig.families.esp32.twin.app.app_board import NEW, arduino, built
from tests.rig.families.esp32.twin.app.test_update_server import A, Lab, checking, run
from tests.rig.waiting import HANGS

IMAGE = built(NEW)
CASES = Path(__file__).resolve().parents[7] / "shared" / "cases"
ADDRESS = "https://ota.rig.test/image.bin"


def whole(idf: str, **fields: object) -> EspBehaviour:
    return checking(idf=idf, **fields)


def pieces(idf: str) -> EspBehaviour:
    return checking(idf=idf, partial=65536)


def core(version: str) -> EspBehaviour:
    return arduino(url=ADDRESS, pins=("root",), checks_every=0.5, core=version)


#: What the server does, by whom it is asked, and by release what the next look for updates comes to.
KNOBS: dict[str, tuple[tuple[str, ...], dict[str, tuple[EspBehaviour, str]]]] = {
    "HEAD refused by 405": (("head",), {
        "5.1, in pieces": (pieces("5.1"), "failed"), "5.5.5, in pieces": (pieces("5.5.5"), "failed"),
        "6.0, in pieces": (pieces("6.0"), "installed"), "5.1, whole": (whole("5.1"), "installed"),
    }),
    "HEAD refused by 501": (("head@501",), {
        "5.5, in pieces": (pieces("5.5"), "failed"), "6.1-beta1, in pieces": (pieces("6.1-beta1"), "installed"),
    }),
    "HEAD without a length": (("head-without-length",), {
        "5.5, in pieces": (pieces("5.5"), "failed"), "6.0, in pieces": (pieces("6.0"), "failed"),
    }),
    "HEAD in chunks": (("head-chunked",), {
        "5.5, in pieces": (pieces("5.5"), "failed"), "6.0, in pieces": (pieces("6.0"), "failed"),
    }),
    "chunks": (("chunked",), {
        "4.4.8": (whole("4.4.8"), "installed"), "5.5": (whole("5.5"), "installed"), "6.0": (whole("6.0"), "installed"),
        "core 2.0.17": (core("2.0.17"), "failed"), "core 3.3": (core("3.3"), "failed"),
    }),
    "no length, and close_notify": (("no-length",), {
        "5.1.5": (whole("5.1.5"), "failed"), "5.1.6": (whole("5.1.6"), "installed"),
        "6.0": (whole("6.0"), "installed"), "core 3.3": (core("3.3"), "failed"),
    }),
    "no length, and FIN alone": (("no-length-fin",), {
        "5.1.5": (whole("5.1.5"), "installed"), "5.5": (whole("5.5"), "installed"), "6.0": (whole("6.0"), "installed"),
    }),
    "FIN alone half-way": (("fin@40000",), {"5.1": (whole("5.1"), "failed"), "6.0": (whole("6.0"), "failed")}),
    "twelve redirects": ((f"redirect@302*12:{ADDRESS}",), {
        "4.4.8": (whole("4.4.8"), "installed"), "5.5.5": (whole("5.5.5"), "installed"),
        "6.1-beta1": (whole("6.1-beta1"), "installed"), "6.0, in pieces": (pieces("6.0"), "failed"),
        "core 3.3": (core("3.3"), "failed"),
    }),
    "a redirect to a path": (("redirect@307:/image.bin",), {
        "5.5.4": (whole("5.5.4"), "installed"), "5.5.5": (whole("5.5.5"), "failed"),
        "6.0.2": (whole("6.0.2"), "installed"), "6.1-beta1": (whole("6.1-beta1"), "failed"),
    }),
    "a redirect from https to http": (("redirect@302:http://plain.rig.test/image.bin",), {
        "5.5.4": (whole("5.5.4"), "installed"), "5.5.5": (whole("5.5.5"), "failed"),
        "6.0.2": (whole("6.0.2"), "installed"), "6.1-beta1": (whole("6.1-beta1"), "failed"),
    }),
    "401 without a challenge, once": (("unauthorized",), {
        "5.0": (whole("5.0"), "installed"), "5.4": (whole("5.4"), "installed"), "5.5": (whole("5.5"), "failed"),
        "core 3.3": (core("3.3"), "failed"),
    }),
    "401 with a challenge, once": (('unauthorized:Basic realm="rig"',), {
        "5.4": (whole("5.4"), "installed"), "5.5": (whole("5.5"), "failed"), "6.0": (whole("6.0"), "failed"),
        "5.5 with Basic": (whole("5.5", authorizes=("basic",)), "installed"),
        "6.0 with Basic": (whole("6.0", authorizes=("basic",)), "installed"),
    }),
    "401 for ever": (('unauthorized*0:Basic realm="rig"',), {
        "5.1": (whole("5.1"), "failed"), "5.5": (whole("5.5"), "failed"), "6.1": (whole("6.1"), "failed"),
    }),
    "x-MD5 in capitals": (("md5-in-capitals",), {
        "core 2.0.17": (core("2.0.17"), "failed"), "core 3.0": (core("3.0"), "installed"),
        "core 3.3": (core("3.3"), "installed"), "6.0": (whole("6.0"), "installed"),
    }),
    "a wrong x-MD5": (("wrong-md5",), {
        "core 2.0.17": (core("2.0.17"), "failed"), "core 3.3": (core("3.3"), "failed"),
        "6.0": (whole("6.0"), "installed"),
    }),
}  # fmt: skip
ROWS = [(knob, client) for knob, (_, clients) in KNOBS.items() for client in clients]


async def first_check(lab: Lab) -> None:
    """Power on, until the board has looked for an update once."""
    lab.power_on()
    while not any(event.startswith("checked:") for event in lab.world.events):
        await lab.until("checked:")


def came_to(lab: Lab) -> str:
    return next(event for event in lab.world.events if event.startswith("checked:")).removeprefix("checked:")


@pytest.mark.parametrize(("knob", "client"), ROWS, ids=[f"{knob}: {client}" for knob, client in ROWS])
def test_a_client_makes_of_a_knob_what_its_release_does(knob, client):
    faults, clients = KNOBS[knob]
    behaviour, expected = clients[client]

    async def story(lab: Lab) -> None:
        plain = await lab.server.start_plain("127.0.0.1", 0)
        lab.routes.named["plain.rig.test"] = ("127.0.0.1", plain)
        for text in faults:
            lab.server.faults.add(Fault.parse(text))
        await first_check(lab)

    lab = run(behaviour, story, powered=False)
    assert came_to(lab) == expected, lab.world.console
    if expected == "installed":
        assert lab.world.in_slot(1, len(IMAGE)) == IMAGE


# -- servers that are not ours ---------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def foreign(script: Path, folder: Path, *mode: str) -> AsyncIterator[int]:
    """A server of somebody else's with an image; its port."""
    identity = A.issue("ota.rig.test")
    chain, key, image = folder / "chain.pem", folder / "key.pem", folder / "image.bin"
    chain.write_bytes(identity.chain_pem)
    key.write_bytes(identity.key_pem)
    image.write_bytes(IMAGE)
    port = free_port("127.0.0.1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(port), str(chain), str(key), str(image), *mode,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(HANGS):
            assert b"ready" in await process.stdout.readline()
        yield port
    finally:
        process.kill()
        await process.wait()


#: Whose server it is, its mode, who asks, and what comes of it.
FOREIGN: dict[str, tuple[str, tuple[str, ...], EspBehaviour, str]] = {
    "no HEAD, 4.4.8": ("server_no_head.py", ("405",), pieces("4.4.8"), "failed"),
    "no HEAD, 5.1": ("server_no_head.py", ("405",), pieces("5.1"), "failed"),
    "no HEAD, 5.5.5": ("server_no_head.py", ("405",), pieces("5.5.5"), "failed"),
    "no HEAD, 6.0": ("server_no_head.py", ("405",), pieces("6.0"), "installed"),
    "no HEAD, 6.1-beta1": ("server_no_head.py", ("405",), pieces("6.1-beta1"), "installed"),
    "no HEAD, in one piece": ("server_no_head.py", ("405",), whole("5.1"), "installed"),
    "MD5 in capitals, core 2.0.17": ("server_md5.py", ("upper",), core("2.0.17"), "failed"),
    "MD5 in capitals, core 3.0": ("server_md5.py", ("upper",), core("3.0"), "installed"),
    "MD5 in small letters, core 2.0.17": ("server_md5.py", ("lower",), core("2.0.17"), "installed"),
    "MD5 of another file, core 2.0.17": ("server_md5.py", ("wrong",), core("2.0.17"), "failed"),
    "MD5 of another file, core 3.3": ("server_md5.py", ("wrong",), core("3.3"), "failed"),
}


@pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not here: servers of public reports")
@pytest.mark.parametrize("case", FOREIGN)
def test_a_client_makes_of_a_foreign_server_what_its_release_does(case, tmp_path):
    script, mode, behaviour, expected = FOREIGN[case]

    async def story(lab: Lab) -> None:
        async with foreign(CASES / script, tmp_path, *mode) as port:
            lab.routes.default = ("127.0.0.1", port)
            await first_check(lab)

    lab = run(behaviour, story, powered=False)
    assert came_to(lab) == expected, lab.world.console
    assert (lab.world.in_slot(1, len(IMAGE)) == IMAGE) == (expected == "installed")
