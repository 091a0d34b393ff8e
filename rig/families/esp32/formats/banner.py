"""What a second stage says before it reads the partition table, and whether it runs on this chip at all."""

from __future__ import annotations

from collections.abc import Generator

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.boot_config import BootConfig
from rig.families.esp32.formats.chip import revision_name
from rig.families.esp32.formats.header import Header, Refused, check_own_header
from rig.families.esp32.formats.steps import Say, Step


def say_banner(config: BootConfig) -> Generator[Step, None, bool]:
    """Say it; returns whether the second stage goes on (ESP-IDF's bootloader_support)."""
    anew = config.release.does(esp_idf.NAMES_CHIP_IN_TAG)
    if anew:
        yield from map(Say, _who(config))
    yield from map(Say, _revision(config))
    own = config.header or Header(segments=1, entry=0, chip_id=config.chip.chip_id)
    try:
        yield from map(Say, check_own_header(own, config.chip, config.release))
    except Refused as refused:
        yield from map(Say, refused.lines)
        return False
    if not anew:
        yield from map(Say, _who(config))
    entropy = "I boot: Enabling RNG early entropy source..."
    yield from map(Say, [*_flash(config), entropy] if anew else [entropy, *_flash(config)])
    return True


def _who(config: BootConfig) -> list[str]:
    lines = [f"I boot: ESP-IDF {config.version} 2nd stage bootloader"]
    if config.compiled:
        lines.append(f"I boot: compile time {config.compiled}")
    if config.chip.cores > 1 and config.release.does(esp_idf.SAYS_CORES):
        lines.append("I boot: Multicore bootloader")
    return lines


def _revision(config: BootConfig) -> list[str]:
    chip, release = config.chip, config.release
    if not release.does(esp_idf.CHECKS_CHIP):
        return []
    words = "chip revision" if release.does(esp_idf.NAMES_CHIP_IN_TAG) else "Chip Revision"
    full = release.does(esp_idf.SAYS_FULL_REVISION)
    lines = [f"I boot: {words}: {revision_name(chip.revision) if full else chip.plain_revision}"]
    if chip.efuse_block is not None and release.does(esp_idf.CHECKS_EFUSE_BLOCK):
        lines.append(f"I boot: efuse block revision: {revision_name(chip.efuse_block)}")
    return lines


def _flash(config: BootConfig) -> list[str]:
    tag = f"boot.{config.chip.name}" if config.release.does(esp_idf.NAMES_CHIP_IN_TAG) else "boot"
    return [
        f"I {tag}: SPI Speed      : {config.spi_speed}",
        f"I {tag}: SPI Mode       : {config.spi_mode}",
        f"I {tag}: SPI Flash Size : {config.flash_size >> 20}MB",
    ]
