"""Planted faults for test_mutants: an ESP32 whose release of ESP-IDF, or Arduino core, is another than it says."""

from __future__ import annotations

from rig.families.esp32.firmware.behaviour import EspBehaviour
from rig.families.esp32.formats import otadata
from rig.families.esp32.formats.idf import ArduinoCore, Change, Release, since
from rig.families.esp32.twin.app import arduino_update, fetch, http_client, https_ota
from rig.families.esp32.twin.app.connection import Ending
from rig.families.esp32.twin.app.http_client import HttpClient
from tests.rig.families.esp32.firmware import checks_releases as of_releases
from tests.rig.families.esp32.twin.app import test_ota_releases as of_records

#: What every release does, and what none does.
ALWAYS = Change("planted", "nowhere", since("0.0"))
ALWAYS_IN_CORES = Change("planted", "nowhere", since("0.0", of=ArduinoCore))
NEVER = Change("planted", "nowhere", since("99.0"))

REAL_REDIRECT, REAL_CHECK, REAL_AUTHORIZE = HttpClient.redirect, HttpClient._check, HttpClient.authorize
REAL_PARSE = Release.__dict__["parse"].__func__


def _of_its_line(cls, text):
    parsed = REAL_PARSE(cls, text)
    return cls(parsed.major, parsed.minor)


def _limited(self, location):
    """A limit where the library has none."""
    if self._followed >= http_client.MOST_REDIRECTS:
        raise http_client.EspError(http_client.FAIL)
    REAL_REDIRECT(self, location)


def _a_connection_for_each(self, location):
    REAL_REDIRECT(self, location)
    self.close()


def _never_limited(self, head):
    self._followed = 0
    return REAL_CHECK(self, head)


def _counted_apart(self, head):
    """Challenges have a count of their own: the redirects before are forgotten."""
    self._followed = 0
    REAL_AUTHORIZE(self, head)


MUTANTS = {
    "esp32 app: every release rewrites the active record": (
        lambda m: m.setattr(otadata, "REWRITES_IN_PLACE", ALWAYS),
        lambda _folder: of_records.test_with_the_active_record_first_the_new_image_runs_unwatched_before_6_0(),
    ),
    "esp32 app: no release rewrites the active record": (
        lambda m: m.setattr(otadata, "REWRITES_IN_PLACE", NEVER),
        of_releases.from_6_0_on_the_active_record_is_rewritten,
    ),
    "esp32 https: every release does without HEAD": (
        lambda m: m.setattr(fetch, "RANGE_WITHOUT_HEAD", ALWAYS),
        of_releases.head_that_is_refused_ends_it_before_6_0,
    ),
    "esp32 https: every release needs the length": (
        lambda m: m.setattr(fetch, "RANGE_WITHOUT_HEAD", ALWAYS),
        of_releases.head_without_a_length_ends_in_nothing,
    ),
    "esp32 https: 304 to HEAD is no failure": (
        lambda m: m.setattr(fetch, "HEAD_NOT_MODIFIED", ALWAYS),
        of_releases.head_that_is_not_modified_fails_before_6_1,
    ),
    "esp32 https: ten redirects are enough": (
        lambda m: m.setattr(HttpClient, "redirect", _limited),
        of_releases.redirects_have_no_limit_of_their_own,
    ),
    "esp32 https: redirects of HEAD have no limit": (
        lambda m: m.setattr(HttpClient, "_check", _never_limited),
        of_releases.redirects_of_head_have_one,
    ),
    "esp32 https: challenges are counted apart from redirects": (
        lambda m: m.setattr(HttpClient, "authorize", _counted_apart),
        of_releases.redirects_and_challenges_are_one_count,
    ),
    "esp32 https: every release ends the count by a good answer": (
        lambda m: m.setattr(http_client, "COUNTS_ANEW", ALWAYS),
        of_releases.a_good_answer_ends_the_count_in_newer_releases,
    ),
    "esp32 https: no release looks at the SPI mode": (
        lambda m: m.setattr(https_ota, "CHECKS_SPI_MODE", NEVER),
        of_releases.another_spi_mode_is_refused_from_6_1_on,
    ),
    "esp32 https: every release looks at the SPI mode": (
        lambda m: m.setattr(https_ota, "CHECKS_SPI_MODE", ALWAYS),
        of_releases.another_spi_mode_is_refused_from_6_1_on,
    ),
    "esp32 https: no release leaves https": (
        lambda m: m.setattr(http_client, "ONLY_TO_HTTPS", ALWAYS),
        of_releases.https_is_left_for_http_where_nobody_looks,
    ),
    "esp32 https: every release follows a path": (
        lambda m: m.setattr(http_client, "ONLY_TO_HTTPS", NEVER),
        of_releases.a_path_is_no_https_address,
    ),
    "esp32 https: a redirect makes a connection of its own": (
        lambda m: m.setattr(HttpClient, "redirect", _a_connection_for_each),
        of_releases.a_connection_that_is_over_is_used_once_more,
    ),
    "esp32 https: 401 is always tried again": (
        lambda m: m.setattr(fetch, "NEEDS_CHALLENGE", NEVER),
        of_releases.a_challenge_that_helps_nobody_ends_it_from_5_5_on,
    ),
    "esp32 https: every build answers Basic and Digest": (
        lambda m: m.setattr(EspBehaviour, "challenges", property(lambda _self: ("basic", "digest"))),
        of_releases.a_build_answers_what_its_esp_idf_comes_with,
    ),
    "esp32 http: close_notify always ended a body": (
        lambda m: m.setattr(http_client, "ENDS_BY_CLOSE_NOTIFY", ALWAYS),
        of_releases.close_notify_did_not_end_a_body_without_a_length,
    ),
    "esp32 http: every server leaves by FIN": (
        lambda m: m.setattr(Ending, "errno", property(lambda _self: 128)),
        of_releases.an_early_end_is_told_with_the_socket_s_error,
    ),
    "esp32 arduino: every core reads capitals": (
        lambda m: m.setattr(arduino_update, "MD5_IN_ANY_CASE", ALWAYS_IN_CORES),
        of_releases.capitals_in_x_md5_fail_with_core_2,
    ),
    "esp32 releases: a patch is no release of its own": (
        lambda m: m.setattr(Release, "parse", classmethod(_of_its_line)),
        of_releases.https_is_left_for_http_where_nobody_looks,
    ),
}
