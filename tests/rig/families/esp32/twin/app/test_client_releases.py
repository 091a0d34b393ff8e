"""What an ESP32's update client makes of servers, release by release: each row stands on both sides of a change.

Rows of rig.families.esp32.formats.idf_client; facts from the releases' own sources.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest

from tests.rig.families.esp32.firmware import checks_releases as of_releases
from tests.rig.families.esp32.twin.app.app_board import NEW, built, checked, https, world_of
from tests.rig.families.esp32.twin.app.app_server import HOST, Answers, answer, serving
from tests.rig.families.esp32.twin.app.foreign_answers import (
    BASIC,
    IMAGE,
    MANY,
    Challenging,
    ChallengingBehind,
    chain,
    cut_short,
    head_refused,
    head_says,
    head_without_length,
    leaving_after_a_redirect,
    not_modified_for_all,
    ranges_ignored,
    redirecting,
    without_length,
)

PIECES = {"partial": 65536}
ANSWERS_BASIC = {"authorizes": ("basic",)}
#: Installed, failed, or (for a check that comes to no end) nothing; how many requests; what the console says.
Told = tuple[str, int | None, str]
GOOD: Told = ("installed", None, "upgrade successful")


def refused(says: str, requests: int = 1) -> Told:
    return "failed", requests, says


#: What a server does, how the client asks, and by release what comes of it.
SERVERS: dict[str, tuple[Answers, dict[str, object], dict[str, Told]]] = {
    "HEAD is refused by 405": (head_refused(405), PIECES, {
        **dict.fromkeys(("4.4.8", "5.1", "5.5.3", "5.5.5"), refused("Received incorrect http status 405")),
        **dict.fromkeys(("6.0-beta1", "6.0", "6.0.2", "6.1-beta1", "6.1"), GOOD),
    }),
    "HEAD is refused by 403": (head_refused(403), PIECES, {
        "5.5.5": refused("Received incorrect http status 403"), "6.0": GOOD,
    }),
    "HEAD is refused by 501": (head_refused(501), PIECES, {
        "5.1": refused("Received incorrect http status 501"), "6.1-beta1": GOOD,
    }),
    "HEAD tells no length": (head_without_length(), PIECES, {
        **dict.fromkeys(("4.4.8", "5.1", "5.5.5"), refused("Complete data was not received", 2)),
        "6.0": refused("Failed to get image length from http response"),
    }),
    "HEAD tells of chunks": (head_without_length(Transfer_Encoding="chunked"), PIECES, {
        "5.5.5": refused("Complete data was not received", 2),
        "6.0": refused("Failed to get image length from http response"),
    }),
    "HEAD tells a length of nothing": (head_says(0), PIECES, {
        "5.5.5": refused("Complete data was not received", 2), "6.0": refused("Complete data was not received", 2),
    }),
    "HEAD tells less than there is": (head_says(1000), PIECES, {
        "5.5": refused("Complete data was not received", 2), "6.1": refused("Complete data was not received", 2),
    }),
    "HEAD tells more than there is": (head_says(len(IMAGE) + 1), {"partial": 1 << 20}, {
        "5.4.4": refused("Client error (416)", 3), "5.5": refused("Requested range is incorrect", 3),
    }),
    "304 in partial download": (not_modified_for_all, PIECES, {
        **dict.fromkeys(("5.4", "5.5.5"), refused("Received incorrect http status 304")),
        "6.0": refused("Received incorrect http status 304", 2),
        "6.1": ("no-update", 1, ""),
    }),
    "304": (not_modified_for_all, {}, {
        "5.4.4": refused("Complete headers were not received"), "5.5": ("no-update", 1, "not modified"),
    }),
    "ranges are ignored, in partial download": (ranges_ignored, PIECES, {"5.5": GOOD, "6.0": GOOD}),
    "no length, and close_notify": (without_length("close_notify"), {}, {
        **dict.fromkeys(
            ("4.4.8", "5.0.7", "5.1", "5.1.5", "5.2.3", "5.3.2"), refused("data read -1, errno 0"),
        ),
        **dict.fromkeys(("5.0.8", "5.1.6", "5.2.4", "5.3.3", "5.4", "5.5", "6.0", "6.1-beta1"), GOOD),
    }),
    "no length, and FIN alone": (without_length("FIN"), {}, dict.fromkeys(("4.4", "5.1", "5.5", "6.0"), GOOD)),
    "no length, and RST": (without_length("RST"), {}, dict.fromkeys(
        ("5.1", "6.0"), refused("data read -1, errno 104"),
    )),
    "half of it and FIN": (cut_short("FIN"), {}, dict.fromkeys(
        ("4.4", "5.0", "5.1", "5.5", "6.1-beta1"), refused("data read -1, errno 128"),
    )),
    "half of it and close_notify": (cut_short("close_notify"), {}, dict.fromkeys(
        ("5.1", "6.0"), refused("data read -1, errno 0"),
    )),
    "401 without a challenge": (Challenging(""), {}, {
        **dict.fromkeys(("4.4.8", "5.0"), ("installed", MANY + 1, "does not provide header information")),
        **dict.fromkeys(("5.1", "5.4.4"), refused("Reached max_authorization_retries (401)", 11)),
        **dict.fromkeys(("5.5", "6.0", "6.1-beta1"), refused("Authorization Failed")),
    }),
    "401 with a challenge it knows": (Challenging(BASIC), ANSWERS_BASIC, {
        "5.0": ("installed", MANY + 1, ""),
        **dict.fromkeys(("5.1", "5.5", "6.1"), refused("Reached max_authorization_retries (401)", 11)),
    }),
    "401 with a challenge nobody knows": (Challenging("Bearer"), {}, {
        "5.4": refused("Reached max_authorization_retries", 11), "5.5": refused("Authorization Failed"),
    }),
    "401 to a build that knows what ESP-IDF comes with": (Challenging(BASIC), {}, {
        "5.4": refused("This authentication method is not supported", 11),
        "5.5": refused("This authentication method is not supported"),
    }),
    "401 with Digest": (Challenging("Digest realm=x"), {}, {
        "4.4.8": ("installed", MANY + 1, ""), "5.4": refused("not supported: Digest", 11),
        "5.5": refused("not supported: Digest"),
    }),
    "401 to HEAD": (Challenging(""), PIECES, {
        "5.4": refused("Received incorrect http status 401"), "5.5": refused("ESP HTTP client perform failed: 262"),
    }),
    "401 to HEAD, with a challenge it knows": (Challenging(BASIC), {**PIECES, **ANSWERS_BASIC}, {
        "5.1": refused("Error, reach max_redirection_count count=10", 11),
        "6.0": refused("Error, reach max_redirection_count count=10", 11),
    }),
    "twelve redirects": (chain(12), {}, dict.fromkeys(
        ("4.4.8", "5.1", "5.5.5", "6.0", "6.1-beta1"), ("installed", 13, ""),
    )),
    "nine redirects and a challenge": (ChallengingBehind(9, 1), ANSWERS_BASIC, dict.fromkeys(
        ("4.2", "4.3", "5.4.4", "5.5", "6.1"), ("installed", 11, ""),
    )),
    "ten redirects and a challenge": (ChallengingBehind(10, 1), ANSWERS_BASIC, {
        "4.2": ("installed", 12, ""),
        **dict.fromkeys(("4.3", "5.4.4"), ("installed", 12, "reached max_authorization_retries count=10")),
        **dict.fromkeys(("5.5", "6.0", "6.1-beta1"), refused("reached max_authorization_retries count=10", 11)),
    }),
    "five redirects and five challenges": (ChallengingBehind(5, 5), ANSWERS_BASIC, {"5.5": ("installed", 11, "")}),
    "five redirects and six challenges": (ChallengingBehind(5, 6), ANSWERS_BASIC, {
        "5.5": refused("E esp_https_ota: Authorization Failed", 11),
    }),
    "nine redirects of HEAD, two challenges of GET": (ChallengingBehind(9, 2, "HEAD"), {**PIECES, **ANSWERS_BASIC}, {
        **dict.fromkeys(("5.0.6", "5.1.4"), ("installed", None, "reached max_authorization_retries count=10")),
        **dict.fromkeys(("5.0.7", "5.1.5", "5.5"), GOOD),
    }),
    "twelve redirects of HEAD": (chain(12, method="HEAD"), PIECES, dict.fromkeys(
        ("5.1", "5.5.5", "6.0"), refused("ESP HTTP client perform failed: 28673", 11),
    )),
    "a redirect to a path": (redirecting("/other.bin"), {}, {
        **dict.fromkeys(("4.4.8", "5.1", "5.5.4", "6.0.2"), GOOD),
        **dict.fromkeys(("5.5.5", "6.1-beta1"), refused("HTTPS origin can only redirect to https:// targets")),
    }),
    "a redirect to a name beside it": (redirecting("other.bin"), {}, {
        **dict.fromkeys(("5.1", "5.5.4", "6.0.2"), refused("Error parse url other.bin")),
        **dict.fromkeys(("5.5.5", "6.1"), refused("HTTPS origin can only redirect to https:// targets")),
    }),
    "a redirect from https to http": (redirecting("http://plain.test/other.bin"), {}, {
        **dict.fromkeys(("4.4.8", "5.1", "5.5.4", "6.0", "6.0.2"), GOOD),
        **dict.fromkeys(("5.5.5", "6.1-beta1"), refused("URL redirection Failed")),
    }),
    "HEAD is redirected from https to http": (redirecting("http://plain.test/other.bin"), PIECES, {
        "5.5.4": GOOD, "5.5.5": refused("ESP HTTP client perform failed: 28685"),
    }),
    "a server that leaves with its redirect": (leaving_after_a_redirect, {}, dict.fromkeys(
        ("5.1", "5.5", "6.0"), refused("Failed to establish HTTP connection"),
    )),
    "a redirect by 303": (redirecting(f"https://{HOST}/other.bin", 303), {}, {
        "4.4": refused("Complete headers were not received"), "4.4.2": GOOD,
    }),
    "an image for another chip": (serving(IMAGE[:12] + b"\x05" + IMAGE[13:]), {}, {
        "4.4": refused("failed ESP_ERR_OTA_VALIDATE_FAILED"),
        **dict.fromkeys(
            ("4.4.1", "5.1", "5.5.5", "6.0.2"), refused("E esp_https_ota: Mismatch chip id, expected 0, found 5"),
        ),
        "6.1-beta1": refused("E boot_comm: mismatch chip ID, expected 0, found 5"),
    }),
    "an image for later revisions": (serving(built(replace(NEW, min_revision=301))), {}, {
        "5.4": refused("Image validation failed, image is corrupted"),
        "5.5": refused("E boot_comm: chip revision check failed. Required >= v3.1, found v3.0."),
        "6.1-beta1": refused("E boot_comm: chip revision check failed. Required >= v3.1, found v3.0."),
    }),
    "a header of 500 bytes": (serving(IMAGE[:500]), {}, {
        "4.4.8": refused("Image validation failed"), "5.0": refused("Complete headers were not received"),
    }),
    "404": (lambda _: answer(404), {}, {
        "3.3": refused("Error: esp_ota_end failed! err=0x258. Image is invalid"),
        "3.3.6": refused("Complete headers were not received"), "4.4": refused("File not found(404)"),
    }),
    "an image that is cut off later": (serving(IMAGE[:64_000]), {}, {
        "5.4": refused("Image validation failed"), "5.5": refused("New image failed verification"),
    }),
}  # fmt: skip

#: The release, the modes that the running and the offered image tell, and what comes of it.
SPI_MODES = {
    "6.0 looks at none": ("6.0.2", 3, 1, "installed"),
    "6.1 refuses another": ("6.1-beta1", 3, 1, "failed"),
    "6.1 takes its own": ("6.1", 3, 3, "installed"),
    "6.1 takes one of before": ("6.1", 3, 0, "installed"),
    "one of before takes any": ("6.1", 0, 1, "installed"),
}


@pytest.mark.parametrize("case", SPI_MODES)
def test_an_image_for_another_spi_mode_is_refused_by_who_looks(case):
    idf, running, offered, expected = SPI_MODES[case]
    world = of_releases.of_spi_modes(idf, running, offered)
    assert checked(world) == expected
    told = "E esp_ota_ops: SPI flash mode mismatch: running app has mode 3, new app has mode 1" in world.console
    assert told == (expected == "failed")


ROWS = [(case, idf) for case, (_, _, by_release) in SERVERS.items() for idf in by_release]


@pytest.mark.parametrize(("case", "idf"), ROWS, ids=[f"{case}, {idf}" for case, idf in ROWS])
def test_a_release_makes_of_a_server_what_it_does(case, idf):
    answers, fields, by_release = SERVERS[case]
    expected, requests, says = by_release[idf]
    world = world_of(https(idf=idf, **fields), copy(answers))
    world.hosts["plain.test"] = None
    assert checked(world) == expected, world.console
    assert requests is None or len(world.asked) == requests
    assert says in world.console, world.console
    assert (world.in_slot(1, len(IMAGE)) == IMAGE and world.records[1].seq == 2) == (expected == "installed")
