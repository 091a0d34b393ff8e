"""esp_https_ota() of ESP-IDF 3.3.0: one call that looks at nothing but the bytes; the image's own check is all it has.

Facts: components/esp_https_ota/src/esp_https_ota.c at v3.3. Whatever comes, under whatever status, is written, and a
server that is silent for a time-out has said everything. Nobody can look at the version before.
"""

from __future__ import annotations

from rig.families.esp32.twin.app.connection import Ending, TimedOut
from rig.families.esp32.twin.app.esp_error import FAIL, INVALID_ARG, EspError, name_of
from rig.families.esp32.twin.app.http import Response
from rig.families.esp32.twin.app.http_client import HttpClient
from rig.families.esp32.twin.app.http_head import Malformed
from rig.families.esp32.twin.app.ota import Erase, Ota, Update
from rig.families.esp32.twin.app.update_request import Attempt, Request
from rig.twin.steps import Program

BUFFER = 256
WHOLE_SLOT = Erase(0)


def https_ota_3_3(ota: Ota, asked: Request, attempt: Attempt) -> Program:
    """One update up to the choice of the new slot. Raises EspError."""
    say = ota.board.say
    if asked.trust is None:
        say("E esp_https_ota: Server certificate not found, either through configuration or global CA store")
        raise EspError(INVALID_ARG)
    client = HttpClient(ota.board, asked, attempt, ota.release)
    if client.url.scheme != "https":
        say("E esp_https_ota: Transport is not over HTTPS")
        raise EspError(FAIL)
    try:
        yield from client.connect()
    except EspError as error:
        say(f"E esp_https_ota: Failed to open HTTP connection: {name_of(error.code)}")
        raise
    response: Response | None
    try:
        response = yield from client.ask()
    except EspError:
        response = None
    target = ota.next_slot()
    say("I esp_https_ota: Starting OTA...")
    say(f"I esp_https_ota: Writing to partition subtype {0x10 + (target.slot or 0)} at offset 0x{target.offset:x}")
    try:
        update = yield from ota.begin(target, WHOLE_SLOT)
    except EspError as error:
        say(f"E esp_https_ota: esp_ota_begin failed, error={error.code}")
        client.close()
        raise
    say("I esp_https_ota: esp_ota_begin succeeded")
    say("I esp_https_ota: Please Wait. This may take time")
    try:
        yield from _write_all(ota, response, update)
    except EspError:
        say("E esp_https_ota: Error: esp_ota_write failed! err=0x0")
        client.close()
        raise
    client.close()
    try:
        update.end()
    except EspError as error:
        say(f"E esp_https_ota: Error: esp_ota_end failed! err=0x{error.code}. Image is invalid")
        raise
    try:
        yield from ota.set_boot(target)
    except EspError as error:
        say(f"E esp_https_ota: esp_ota_set_boot_partition failed! err=0x{error.code}")
        raise
    say("I esp_https_ota: esp_ota_set_boot_partition succeeded")


def _write_all(ota: Ota, response: Response | None, update: Update) -> Program:
    """Until nothing comes, for whatever reason. Raises EspError."""
    while response is not None:
        try:
            data = yield from response.read(BUFFER)
        except (TimedOut, Malformed):
            break
        if not data:
            break
        yield from update.write(data)
    if response is not None and response.ending is Ending.RESET:
        ota.board.say("E esp_https_ota: Error: SSL data read error")
    else:
        ota.board.say("I esp_https_ota: Connection closed, all data received")
