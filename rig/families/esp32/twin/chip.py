"""The ESP32 itself: which one it is, by its eFuses, and the registers that a loader or a bootloader looks at.

Facts: esptool's loader.py and targets/esp32.py, ESP-IDF's esp32/rom/rtc.h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from rig.errors import Misuse
from rig.families.esp32.formats import chip as esp_chip
from rig.families.esp32.twin import efuses as fuses
from rig.families.esp32.twin import spi_flash
from rig.families.esp32.twin.efuses import Efuses
from rig.families.esp32.twin.memory import FLASH_SIZE
from rig.families.esp32.twin.ram import Ram
from rig.families.esp32.twin.spi_flash import SpiFlash

DEFAULT_MAC, DEFAULT_REVISION = bytes.fromhex("240ac4000001"), 300
#: What is kept of a chip: its eFuses and the word of DATE_ADDRESS.
KEPT_SIZE = fuses.SIZE + 4
D0WDQ6, D0WD = 0, 1
#: What tells an ESP32 from its relatives.
MAGIC_ADDRESS, MAGIC = 0x40001000, 0x00F01D83
DATE_ADDRESS = 0x3FF6607C
STRAPS_ADDRESS = 0x3FF44038
CALIBRATION_ADDRESS = 0x3FF5F06C
#: Only loaders read registers, and they run when GPIO0 was low at the end of reset.
DOWNLOAD_STRAPS = 0x03

#: A major revision is three bits in three places: word 3 bit 15, word 5 bit 20, DATE bit 31.
_MAJOR_BITS = {0: 0b000, 1: 0b001, 2: 0b011, 3: 0b111}
#: The slow clock as calibrated at the factory (eFuse) and by the ROM: together they say 40 MHz, so that the divisors
#: that a host derives from them are right.
_CK8M, _CALIBRATED = 128, 800
_SECURE_VERSION_BLOCK, _SECURE_VERSION_WORD, _MOST_VERSIONS = 3, 4, 32


class Chip:
    """One chip. `on_burn` is called when its eFuses have changed, `efuses` are what must be kept then."""

    def __init__(
        self,
        mac: bytes | None = None,
        *,
        revision: int | None = None,
        package: int = D0WD,
        efuses: bytes | None = None,
        flash_size: int = FLASH_SIZE,
    ):
        """`revision` is major*100+minor, 0 to 303. `efuses` are those kept of a chip, KEPT_SIZE bytes: they say it all.
        `flash_size` is that of the flash at its pins.

        Raises Misuse for what no ESP32 can be, and where it is not the chip whose eFuses were kept.
        """
        made, number = mac or DEFAULT_MAC, DEFAULT_REVISION if revision is None else revision
        major, minor = divmod(number, 100)
        if major not in _MAJOR_BITS or not 0 <= minor <= 3:
            raise Misuse(f"an ESP32 has no revision {esp_chip.revision_name(number)}", hint="v0.0 to v3.3")
        if len(made) != 6:
            raise Misuse(f"a MAC has 6 bytes, not {len(made)}")
        if not 0 <= package <= 0xF:
            raise Misuse(f"a package is a number of 4 bits, not {package}")
        date = _MAJOR_BITS[major] >> 2 << 31
        words = _from_factory(made, major, minor, package) + date.to_bytes(4, "little") if efuses is None else efuses
        if len(words) != KEPT_SIZE:
            raise Misuse(f"eFuses are kept in {KEPT_SIZE} bytes, not {len(words)}")
        self._fuses, self._date = Efuses(words[: fuses.SIZE]), int.from_bytes(words[fuses.SIZE :], "little")
        if mac is not None and mac != self.mac:
            raise Misuse(f"the eFuses are those of {self.mac.hex(':')}, not of {mac.hex(':')}")
        if revision is not None and revision != self.revision:
            revision_name = esp_chip.revision_name
            raise Misuse(
                f"the eFuses are those of a {revision_name(self.revision)}, not of a {revision_name(revision)}"
            )
        self._spi = SpiFlash(flash_size)
        #: What loaders may read and write beside flash.
        self.ram = Ram()

    # -- which chip it is --------------------------------------------------------------------------------------------

    @property
    def mac(self) -> bytes:
        """The factory's MAC, six bytes."""
        return self._fuses.word(0, 2).to_bytes(4, "big")[2:] + self._fuses.word(0, 1).to_bytes(4, "big")

    @property
    def revision(self) -> int:
        """Major*100+minor."""
        bits = self._fuses.word(0, 3) >> 15 & 1 | (self._fuses.word(0, 5) >> 20 & 1) << 1 | self._date >> 31 << 2
        major = next((major for major, meant in _MAJOR_BITS.items() if meant == bits), 0)
        return major * 100 + (self._fuses.word(0, 5) >> 24 & 3)

    @property
    def package(self) -> int:
        """Number of the package: 1 is a D0WD."""
        return self._fuses.word(0, 3) >> 9 & 7 | (self._fuses.word(0, 3) >> 2 & 1) << 3

    @property
    def model(self) -> esp_chip.Chip:
        """What images are checked against."""
        return replace(esp_chip.ESP32, revision=self.revision)

    @property
    def banner(self) -> str:
        """The first line that the ROM prints: later masks have another date."""
        return "ets Jul 29 2019 12:21:46" if self.revision >= 300 else "ets Jun  8 2016 00:22:57"

    # -- what is burned ----------------------------------------------------------------------------------------------

    @property
    def efuses(self) -> bytes:
        """All eFuses and the date that says a major revision above 2, to be kept and given to the next Chip."""
        return self._fuses.contents + self._date.to_bytes(4, "little")

    @property
    def on_burn(self) -> Callable[[], None]:
        """Called when eFuses have been burned."""
        return self._fuses.on_burn

    @on_burn.setter
    def on_burn(self, call: Callable[[], None]) -> None:
        self._fuses.on_burn = call

    @property
    def secure_version(self) -> int:
        """The lowest version that an anti-rollback build starts: how many bits of block 3 word 4 are burned."""
        return self._fuses.word(_SECURE_VERSION_BLOCK, _SECURE_VERSION_WORD).bit_count()

    def raise_secure_version(self, version: int) -> None:
        """Burn `version`; a lower one changes nothing, there is no way back. Raises Misuse above 32."""
        if not 0 <= version <= _MOST_VERSIONS:
            raise Misuse(f"the eFuses have no room for secure version {version}", hint="0 to 32")
        self._fuses.burn(_SECURE_VERSION_BLOCK, _SECURE_VERSION_WORD, (1 << version) - 1)

    # -- registers ---------------------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """The supply rises: the chip starts, and so does its flash."""
        self._spi.power_on()
        self.reset()

    def reset(self) -> None:
        """EN was low: registers are as after power-on, RAM is lost, what was burned can be read; the flash goes on."""
        self._fuses.reset()
        self._spi.reset()
        self.ram.lose()

    def read(self, address: int) -> int:
        """The word at `address`: a register's, or what is in memory there."""
        if address >> 12 == fuses.BASE >> 12:
            return self._fuses.read(address - fuses.BASE)
        if spi_flash.BASE <= address < spi_flash.BASE + spi_flash.SIZE:
            return self._spi.read(address - spi_flash.BASE)
        known = {
            MAGIC_ADDRESS: MAGIC,
            DATE_ADDRESS: self._date,
            STRAPS_ADDRESS: DOWNLOAD_STRAPS,
            CALIBRATION_ADDRESS: _CALIBRATED << 7,
        }
        return known[address] if address in known else self.ram.read(address)

    def write(self, address: int, value: int) -> None:
        """Write the word at `address`; what cannot be written stays."""
        if address >> 12 == fuses.BASE >> 12:
            self._fuses.write(address - fuses.BASE, value)
        elif spi_flash.BASE <= address < spi_flash.BASE + spi_flash.SIZE:
            self._spi.write(address - spi_flash.BASE, value)
        else:
            self.ram.write(address, value)


def crc8(mac: bytes) -> int:
    """The check byte beside the MAC: polynomial 0x8C reflected, from 0."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


@lru_cache(maxsize=64)
def _from_factory(mac: bytes, major: int, minor: int, package: int) -> bytes:
    bits = _MAJOR_BITS[major]
    words = [0] * (fuses.SIZE // 4)
    words[1] = int.from_bytes(mac[2:], "big")
    words[2] = crc8(mac) << 16 | int.from_bytes(mac[:2], "big")
    words[3] = (bits & 1) << 15 | (package & 7) << 9 | (package >> 3) << 2
    words[4] = _CK8M
    words[5] = minor << 24 | (bits >> 1 & 1) << 20
    return b"".join(word.to_bytes(4, "little") for word in words)
