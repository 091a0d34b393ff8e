"""Secure Boot V2 signatures behind an ESP32 image, as a running application checks them before it takes an update.

Without secure boot in hardware the trusted key is that of the running application's own first block, and a bootloader
checks nothing (ESP-IDF's esp_secure_boot.h). Images are signed in rig.families.esp32.firmware.signing.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace

from rig.families.esp32.formats import image as esp_image
from rig.families.esp32.formats.chip import Chip
from rig.families.esp32.formats.header import Refused
from rig.families.esp32.formats.idf import Idf
from rig.families.esp32.formats.image import USUAL, Image, Reader
from rig.families.esp32.formats.partition_table import Partition

SECTOR = 0x1000
BLOCKS = 3
BLOCK_SIZE = 1216
_MAGIC = 0xE7
_BLOCK = struct.Struct("<BBxx32s384sI384sI384sI16x")
#: Modulus, exponent and the two helper values: what a key's digest is over.
_KEY = slice(36, 812)
_CRC_LENGTH = 1196
#: MBEDTLS_ERR_RSA_VERIFY_FAILED.
_MBEDTLS_VERIFY_FAILED = -0x4380


@dataclass(frozen=True, slots=True)
class SignatureBlock:
    """One of up to three blocks of a signature sector; numbers as they are, not as they lie."""

    version: int
    image_digest: bytes
    modulus: int
    exponent: int
    #: Big-endian, 384 bytes.
    signature: bytes
    #: SHA-256 of the key's fields, as eFuses would hold it.
    key_digest: bytes

    @classmethod
    def unpack(cls, raw: bytes) -> SignatureBlock | None:
        """Read a block; None where magic or CRC say that there is none."""
        if len(raw) < BLOCK_SIZE:
            return None
        magic, version, digest, modulus, exponent, _inverse, _m, signature, crc = _BLOCK.unpack(raw[:BLOCK_SIZE])
        if magic != _MAGIC or crc != zlib.crc32(raw[:_CRC_LENGTH]):
            return None
        key_digest = hashlib.sha256(raw[_KEY]).digest()
        return cls(version, digest, int.from_bytes(modulus, "little"), exponent, signature[::-1], key_digest)

    def signs(self, digest: bytes) -> bool:
        """Whether the key in this block signed what has this SHA-256 (RSA-PSS)."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
        try:
            key = rsa.RSAPublicNumbers(self.exponent, self.modulus).public_key()
            key.verify(self.signature, digest, scheme, utils.Prehashed(hashes.SHA256()))
        except (ValueError, InvalidSignature):
            return False
        return True


def padded(length: int) -> int:
    """Where the signature sector of an image of `length` bytes begins: its end, rounded up to 4 KiB."""
    return -(-length // SECTOR) * SECTOR


def read_blocks(read: Reader, offset: int, length: int) -> list[SignatureBlock | None]:
    """The three places for a block behind the image of `length` bytes at `offset`."""
    start = offset + padded(length)
    return [SignatureBlock.unpack(read(start + number * BLOCK_SIZE, BLOCK_SIZE)) for number in range(BLOCKS)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a running application takes an image, and what it prints on the way."""

    image: Image
    console: list[str]

    @property
    def refused(self) -> Refused | None:
        """Why not; None when it is taken."""
        return self.image.refused


def verify_update(read: Reader, update: Partition, running: Partition, chip: Chip, release: Idf = USUAL) -> Verdict:
    """Check the image in `update` as esp_ota_end does in a build that verifies signatures on update."""
    image = esp_image.verify(read, update.offset, update.size, chip, release)
    if image.refused and image.refused.reason != "digest":
        return Verdict(image, image.console(loading=False))
    sound = image.refused is None
    # The signature covers the appended digest too: that one is compared only to tell what went wrong.
    image = replace(image, refused=None)
    lines = [*image.console(loading=False), "I esp_image: Verifying image signature..."]
    signed, printed = _check_signature(read, image, running, chip, release)
    lines += printed
    if signed:
        return Verdict(replace(image, length=padded(image.length) + SECTOR), lines)
    refused = Refused("signature", "Secure boot signature verification failed")
    lines += [str(refused), "I esp_image: Calculating simple hash to check for corruption..."]
    if not sound:
        lines.append("E esp_image: Image hash failed - image is corrupt")
    lines.append(f"W esp_image: {'image valid, signature bad' if sound else 'image corrupted on flash'}")
    return Verdict(replace(image, refused=refused), lines)


def _check_signature(
    read: Reader, image: Image, running: Partition, chip: Chip, release: Idf
) -> tuple[bool, list[str]]:
    """Whether block 0 is by the key of the running application's block 0, and what is printed."""
    lines = ["I secure_boot_v2: Take trusted digest key(s) from running app"]
    own = esp_image.verify(read, running.offset, running.size, chip, release)
    trusted = read_blocks(read, running.offset, own.length)
    if not any(trusted):
        lines += [
            "E secure_boot_v2: No signatures were found for the running app",
            "E secure_boot_v2: Could not read secure boot digests!",
        ]
        return False, lines
    block = read_blocks(read, image.offset, image.length)[0]
    if block is None or trusted[0] is None or block.key_digest != trusted[0].key_digest:
        return False, lines
    lines.append("I secure_boot_v2: #0 app key digest == #0 trusted key digest")
    lines.append("I secure_boot_v2: Verifying with RSA-PSS...")
    if not block.signs(hashlib.sha256(read(image.offset, padded(image.length))).digest()):
        lines.append(f"E secure_boot_v2: Failed mbedtls_rsa_rsassa_pss_verify, err: {_MBEDTLS_VERIFY_FAILED}")
        return False, lines
    lines.append("I secure_boot_v2: Signature verified successfully!")
    return True, lines
