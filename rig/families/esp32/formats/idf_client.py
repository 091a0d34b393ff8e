"""What a running ESP32's update client does in which release: esp_https_ota, what is under it, and Arduino's Update.

Every row was read at the release's tags of espressif/esp-idf. Releases are branches: what a line got late (5.4.4) the
next one may still lack (5.5), and a beta of a later one, too.
"""

from __future__ import annotations

from rig.families.esp32.formats.idf import ArduinoCore, Change, during, since

_EHO, _HTTP, _OPS = "esp_https_ota.c", "esp_http_client.c", "esp_ota_ops.c"

# -- esp_ota_ops -------------------------------------------------------------------------------------------------------

REWRITES_IN_PLACE = Change(
    "choosing a slot that the active record chooses already rewrites that record; before, the other got its number",
    f"{_OPS} esp_rewrite_ota_data",
    since("6.0-beta1"),
)
INVALIDATES_AT_BEGIN = Change(
    "beginning an update erases the inactive record, in builds with rollback",
    f"{_OPS} esp_ota_begin",
    since("5.5-beta1"),
)
ERASES_AS_IT_WRITES = Change(
    "the slot is erased sector by sector as it is written, and not all at once before",
    f"{_OPS} OTA_WITH_SEQUENTIAL_WRITES",
    since("4.3-beta1"),
)
ERASES_ONE_AHEAD = Change(
    "a write that ends with a sector erases the next one too, and so beyond a slot that it fills",
    f"{_OPS} esp_ota_write, last_sector",
    during("4.3-beta1..4.4.7", "5.0-beta1..5.0.6", "5.1-beta1..5.1.3", "5.2-beta1..5.2-beta2"),
)
TELLS_FAILED_VERIFICATION = Change(
    "an image that does not verify is told as `New image failed verification`",
    f"{_OPS} esp_ota_end",
    since("5.5-beta1"),
)

# -- esp_https_ota: what is asked --------------------------------------------------------------------------------------

PARTIAL = Change("there is partial download", f"{_EHO} partial_http_download", since("4.4-beta1"))
RANGE_WITHOUT_HEAD = Change(
    "partial download: where HEAD is no 200, a range of one byte tells the length; a length that is unknown ends it",
    f"{_EHO} esp_https_ota_begin, bytes=0-0",
    since("6.0-beta1"),
)
HEAD_NOT_MODIFIED = Change(
    "partial download: a HEAD that says 304 ends the update as not modified, and other errors are told as those of GET",
    f"{_EHO} esp_https_ota_begin, at 6.1-dev (102122904ade)",
    since("6.1"),
)
RESUMPTION = Change("there is resumption", f"{_EHO} ota_resumption", since("5.5-beta1"))
RESUMES_BY_206_ALONE = Change(
    "a download that may be resumed always asks for a range, and starts over where the answer is no 206",
    f"{_EHO} _http_handle_response_code",
    during("5.5.4..6.0-beta1", "6.0-rc1.."),
)
RESUME_WAITS_FOR_CONFIRMATION = Change(
    "resuming is refused on probation, as beginning is", f"{_OPS} esp_ota_resume, at 6.1-dev", since("6.1")
)
KEEPS_THE_CONNECTION = Change(
    "pieces of a partial download come on one connection, where the server keeps it",
    f"{_EHO} esp_http_client_is_persistent_connection",
    during("5.4.4..5.5-beta1", "5.5.2.."),
)

# -- esp_https_ota: what an answer means -------------------------------------------------------------------------------

READS_STATUS = Change(
    "status, redirects and the end of the body are looked at; before, whatever came was written and verified",
    f"{_EHO} _http_connect",
    since("3.3.1"),
)
FOLLOWS_307 = Change("307 is followed, as 301 and 302 are", f"{_EHO} process_again", since("4.1-beta1"))
FOLLOWS_303_AND_308 = Change(
    "303 and 308 are followed", f"{_EHO} redirection_required", during("4.3.3..4.4-beta1", "4.4.2..")
)
ONLY_TO_HTTPS = Change(
    "an https address may redirect to absolute https addresses only",
    f"{_HTTP} esp_http_client_set_redirection",
    during("5.5.5..6.0-beta1", "6.1-beta1.."),
)
REFUSES_ERRORS = Change("403, 404 and 5xx end the update", f"{_EHO} _http_handle_response_code", since("4.3-beta1"))
REFUSES_CLIENT_ERRORS = Change("so do all 4xx", f"{_EHO} _http_handle_response_code", since("4.3.1"))
NOT_MODIFIED = Change(
    "304 and 416 have errors of their own",
    f"{_EHO} HttpStatus_NotModified",
    since("5.5-beta1"),
)
LIMITS_AUTHORIZATION = Change(
    "401 is tried again ten times, and not for ever", f"{_EHO} max_authorization_retries", since("5.1-beta1")
)
LIMITS_CHALLENGES = Change(
    "after ten redirects and challenges together no challenge is answered any more",
    f"{_HTTP} esp_http_client_add_auth: one redirect_counter",
    since("4.3-beta1"),
)
COUNTS_ANEW = Change(
    "an answer that is good, to esp_http_client_perform, ends the count of redirects and challenges",
    f"{_HTTP} esp_http_check_response, at 1987f055c9a",
    during("5.0.7..5.1-beta1", "5.1.5..5.2-beta1", "5.2.3..5.3-beta1", "5.3-beta2.."),
)
ANSWERS_DIGEST = Change(
    "a build answers Digest unless it was told not to; Basic never, unless it was told to",
    "esp_http_client/Kconfig ESP_HTTP_CLIENT_ENABLE_DIGEST_AUTH",
    since("3.3", "5.0-beta1"),
)
NEEDS_CHALLENGE = Change(
    "401 without a challenge of Basic or Digest fails at once",
    f"{_EHO} Authorization Failed",
    since("5.5-beta1"),
)
ENDS_BY_CLOSE_NOTIFY = Change(
    "a body without a length is over when the server says goodbye by close_notify; before, by a bare FIN alone",
    f"{_HTTP} esp_http_client_read, at d5237f09d5e; espressif/esp-idf#14724",
    during("5.0.8..5.1-beta1", "5.1.6..5.2-beta1", "5.2.4..5.3-beta1", "5.3.3.."),
)
TELLS_SILENCE = Change(
    "an answer that does not come in time is told as `Connection timed out before data was ready!`, and is no ESP_FAIL",
    f"{_HTTP} esp_http_client_fetch_headers",
    since("5.0-beta1"),
)
CALL_TELLS_WHY = Change(
    "esp_https_ota() returns why it could not begin; before, ESP_FAIL", f"{_EHO} esp_https_ota", since("5.5-beta1")
)

# -- esp_https_ota: the image ------------------------------------------------------------------------------------------

READS_HEADER = Change(
    "the image's header is read first, and one for another chip refused",
    f"{_EHO} esp_ota_verify_chip_id",
    during("4.3.3..4.4-beta1", "4.4.1.."),
)
HEADER_OF_1024 = Change(
    "the header is 1024 bytes; before, the 289 up to the description's end",
    f"{_EHO} IMAGE_HEADER_SIZE",
    since("5.0-beta1"),
)
NEEDS_DESCRIPTION = Change(
    "an application that looks at the description is told when there is none",
    f"{_EHO} Incorrect app descriptor magic",
    since("5.0-beta1"),
)
CHECKS_REVISION = Change(
    "an image for other revisions of the chip is refused before it is written",
    f"{_EHO} esp_ota_verify_chip_revision",
    since("5.5-beta1"),
)
REFUSES_AS_BOOT_COMM = Change(
    "an image for another chip is refused in the second stage's words",
    f"{_OPS} esp_ota_check_image_validity",
    since("6.1-beta1"),
)
CHECKS_SPI_MODE = Change(
    "an image that tells another SPI mode of flash than the running one does is refused; 0 is no mode",
    f"{_OPS} esp_ota_check_image_validity, at 21f8ca5e6fc; on by default (CONFIG_ESP_HTTPS_OTA_VERIFY_SPI_MODE)",
    since("6.1-beta1"),
)
BULK_ERASES_THE_LENGTH = Change(
    "bulk erase erases what the image needs; before, the whole slot", f"{_EHO} bulk_flash_erase", since("5.3-beta1")
)
TELLS_LABEL = Change(
    "where it writes is told by the partition's label; before, by its subtype", f"{_EHO} Writing to", since("5.4-beta1")
)
LOSES_ERROR_OF_CHOICE = Change(
    "the error of choosing the slot is printed and lost: the update counts as done",
    f"{_EHO} esp_https_ota_finish",
    during("3.3.1..4.4.7", "5.0-beta1..5.0.5", "5.1-beta1..5.1.3", "5.2-beta1..5.2-beta2"),
)

# -- start-up ----------------------------------------------------------------------------------------------------------

NEEDS_ALL_FLASH = Change(
    "an application aborts on a flash that is smaller than the second stage's header says",
    "esp_flash_spi_init.c esp_flash_init_default_chip, v3.3.6 and v4.0-beta1",
    since("4.0-beta1"),
)

# -- TLS ---------------------------------------------------------------------------------------------------------------

OLD_TLS = Change("TLS 1.0 and 1.1 are on", "mbedtls/Kconfig", since("3.3", "5.0-beta1"))
DHE = Change("DHE-RSA is on", "mbedtls/Kconfig (MBEDTLS_DHM_C is off since)", since("3.3", "5.0-beta1"))

# -- the Arduino core --------------------------------------------------------------------------------------------------

MD5_IN_ANY_CASE = Change(
    "an x-MD5 in capitals is that of the image, too",
    "arduino-esp32 Updater.cpp setMD5, by pull request 8959",
    since("3.0", of=ArduinoCore),
)
