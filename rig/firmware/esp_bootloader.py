"""Second stages of ESP32s without a compiler: images of noise for RAM only, which fit below the partition table."""

from __future__ import annotations

from rig.firmware.noise import stream

#: Addresses of genuine second stages: data, and code from where it is entered (reference/esp32.md §1.9).
_DRAM, _IRAM = 0x3FFF_0030, 0x4007_8000


def build_bootloader(seed: str, size: int) -> bytes:
    """An image that the ROM would load, with `size` bytes of code; the same seed makes the same bytes."""
    from esptool.bin_image import ELFSection, ESP32FirmwareImage

    image = ESP32FirmwareImage()
    image.entrypoint = _IRAM
    image.flash_mode, image.flash_size_freq = 2, 0x20
    image.max_rev_full = 399
    image.segments = [
        ELFSection(b".dram0.data", _DRAM, stream(f"{seed}/dram", 256), 0),
        ELFSection(b".iram0.text", _IRAM, stream(f"{seed}/iram", size), 0),
    ]
    return bytes(image.save(None))
