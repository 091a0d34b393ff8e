"""Named checks of test_mutants about what files are; test_file_kinds runs them too."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from rig.families.esp32.firmware.bootloader import build_bootloader
from rig.families.esp32.firmware.images import App, build_app
from rig.families.esp32.firmware.refusal import no_application
from rig.families.esp32.formats.otadata import SIZE, Record, State
from rig.families.esp32.formats.partition_table import LAYOUTS
from rig.firmware.file_kinds import kind_of
from tests.rig.families.esp32.formats.raw import DROM, SMALL, raw_image

APP = build_app(App(seed="kinds"))
STAGE = build_bootloader("kinds", 20_000)
TABLE = LAYOUTS["two_ota"].pack()
#: What a second stage of ESP-IDF from 5.2 on says of itself.
DESCRIBED = b"\x50\0\0\0" + bytes(4) + b"v5.5.1".ljust(32, b"\0") + b"Jan  1 2026 00:00:00".ljust(24, b"\0") + bytes(16)


def merged(base: int = 0) -> bytes:
    """What `esptool merge-bin` makes of the parts, from flash offset `base` on."""
    whole = (b"\xff" * 0x1000 + STAGE).ljust(0x8000, b"\xff") + TABLE
    return (whole.ljust(0x1_0000, b"\xff") + APP)[base:]


def spiffs(pages: int = 256, block: int = 0x1000, blocks: int = 16, *, counted: bool = True) -> bytes:
    """A formatted SPIFFS without a file: the magic of every block, and nothing else."""
    image = bytearray(b"\xff" * (block * blocks))
    for number in range(blocks):
        at = number * block + -(-2 * (block // pages) // pages) * pages - 4
        magic = 0x20140529 ^ pages ^ (blocks - number if counted else 0)
        image[at : at + 2] = (magic & 0xFFFF).to_bytes(2, "little")
    return bytes(image)


def nvs() -> bytes:
    head = (0xFFFF_FFFE).to_bytes(4, "little") + bytes(4) + b"\xfe" + b"\xff" * 19
    return (head + zlib.crc32(head[4:], 0xFFFF_FFFF).to_bytes(4, "little")).ljust(0x3000, b"\xff")


def archive(make: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    make(file)
    return file.getvalue()


def _tar(file: io.BytesIO) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("app.bin")
        entry.size = len(APP)
        tar.addfile(entry, io.BytesIO(APP))


def _zip(file: io.BytesIO) -> None:
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("app.bin", APP)


def elf_image(chip: str) -> tuple[bytes, int]:
    """An application that esptool makes for a chip, with code and data where its flash is mapped; and the chip's id."""
    from esptool.bin_image import ELFSection
    from esptool.targets import CHIP_DEFS

    loader = CHIP_DEFS[chip]
    image = loader.BOOTLOADER_IMAGE()
    image.entrypoint, image.flash_mode, image.flash_size_freq = loader.IROM_MAP_START, 2, 0x20
    data, code = (
        loader.DROM_MAP_START + 0x20,
        loader.IROM_MAP_START + (0x1_0020 if loader.IROM_MAP_START == loader.DROM_MAP_START else 0x20),
    )
    image.segments = [ELFSection(b".rodata", data, bytes(512), 0), ELFSection(b".text", code, bytes(512), 0)]
    return bytes(image.save(None)), loader.IMAGE_CHIP_ID


APPLICATIONS = {
    "as it is built": APP,
    "without a description": build_app(App(seed="kinds", described=False)),
    "with padding behind": APP.ljust(0x8000, b"\xff"),
    "with a signature's sector behind": APP.ljust(-(-len(APP) // 0x1000) * 0x1000, b"\xff")
    + b"\xe7\x02\0\0".ljust(0x1000, b"\xff"),
    "larger than where a table would be": build_app(App(seed="kinds", irom=0x4_0000)),
    "without a digest": APP[:23] + b"\0" + APP[24:-32],
    "with code first": raw_image(*SMALL[::-1]),
    "with two stretches of data": raw_image(*SMALL, (DROM, bytes(64))),
    "that asks for a late revision": build_app(App(seed="kinds", min_revision=301)),
    "with a large first byte of data": raw_image((DROM, b"\x50" + bytes(255)), *SMALL[1:]),
}
#: What each is said to be, and a file of it.
OTHERS = {
    "nothing": ("empty", b""),
    "erased flash": ("nothing but FF", b"\xff" * 4096),
    "a second stage": ("a second stage: it belongs at 0x1000", STAGE),
    "a second stage that says so": (
        "a second stage: it belongs at 0x1000",
        raw_image((0x3FFF_0030, DESCRIBED), (0x4007_8000, bytes(64))),
    ),
    "a second stage for a C3": (
        "a second stage for an ESP32-C3: another board's",
        raw_image((0x3FCD_5820, DESCRIBED), (0x403C_E710, bytes(64)), chip=5),
    ),
    "an application for a C3": (
        "an application for an ESP32-C3: another board's",
        build_app(App(seed="k", chip="esp32c3")),
    ),
    "a file for a chip that nobody knows": (
        "an application for chip number 77: another board's",
        raw_image((0x3FFF_0030, bytes(0x7000)), (0x4008_0000, bytes(64)), chip=77),
    ),
    "a partition table": ("a partition table: it belongs at 0x8000", TABLE),
    "a partition table alone": ("a partition table: it belongs at 0x8000", TABLE.rstrip(b"\xff") + b"\xff" * 32),
    "a merged image": ("a merged image of second stage, partition table and what follows: it belongs at 0x0", merged()),
    "a merged image from the second stage on": (
        "a merged image of second stage, partition table and what follows: it belongs at 0x1000",
        merged(0x1000),
    ),
    "records of the boot choice": (
        "the records of a boot choice (otadata): write it to its own partition with --address",
        Record.of(3, State.VALID).pack().ljust(SIZE, b"\xff"),
    ),
    "a SPIFFS image": ("a SPIFFS image", spiffs()),
    "a SPIFFS image of large pages": ("a SPIFFS image", spiffs(512, 0x2000)),
    "a SPIFFS image without a length in its magic": ("a SPIFFS image", spiffs(counted=False)),
    "a LittleFS image": ("a LittleFS image", b"\1\0\0\0\xf0\x0f\xff\xf7littlefs".ljust(0x2000, b"\xff")),
    "an NVS partition": ("an NVS partition", nvs()),
    "a FAT image": (
        "a FAT image",
        (b"\xeb\x3c\x90MSDOS5.0".ljust(0x36, b"\0") + b"FAT12   ").ljust(510, b"\0") + b"\x55\xaa",
    ),
    "an ELF file": ("an ELF file: esptool elf2image makes an image of it", b"\x7fELF\x01\x01\x01" + bytes(200)),
    "a gzip archive": ("a gzip archive: unpack it first", gzip.compress(APP)),
    "a zip archive": ("a zip archive: unpack it first", archive(_zip)),
    "a tar archive": ("a tar archive: unpack it first", archive(_tar)),
    "an Intel HEX file": (
        "an Intel HEX file: make a binary of it",
        b":020000040800F2\r\n:0400000001020304F2\r\n:00000001FF\r\n",
    ),
    "an S-record file": (
        "a Motorola S-record file: make a binary of it",
        b"S00F000068656C6C6F202020202000003C\nS5030003F9\n",
    ),
    "a UF2 file": ("a UF2 file: make a binary of it", b"UF2\n\x57\x51\x5d\x9e".ljust(512, b"\0")),
    "a table as CSV": (
        "a partition table as CSV: gen_esp32part.py makes the table of it",
        b"# Name, Type\nnvs, data, nvs, 0x9000, 0x4000,\n",
    ),
    "a web page": ("a web page: the download went wrong", b"<!doctype html><html>404</html>"),
    "a long text, a letter across its first 4096 bytes": ("a text file", b"." + "é".encode() * 4096),
    "a text": ("a text file", b"Take this file, they said.\n" * 9),
}


def an_application_is_taken(name: str) -> None:
    assert str(kind_of(APPLICATIONS[name])) == "an application: it belongs in an app partition"
    assert no_application(APPLICATIONS[name]) is None


def another_file_is_refused_by_what_it_is(name: str) -> None:
    words, data = OTHERS[name]
    assert (no_application(data) or "").startswith(f"it is {words}")


def bytes_that_are_no_letters_are_no_text(_folder: object) -> None:
    assert kind_of(b"\xff" * 0x1000 + APP) is None
    assert kind_of(bytes(range(128, 256)) * 64) is None


def application(name: str) -> Callable[[object], None]:
    return lambda _folder: an_application_is_taken(name)


def other(name: str) -> Callable[[object], None]:
    return lambda _folder: another_file_is_refused_by_what_it_is(name)
