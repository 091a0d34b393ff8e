"""Where in RAM a second stage loads a segment, and where it refuses to: over itself, or where nothing is.

The rule is that of esp_image_format.c verify_load_addresses, and what was before it.
"""

from __future__ import annotations

from dataclasses import replace

from rig.families.esp32.formats import idf as esp_idf
from rig.families.esp32.formats.chip import ESP32, Chip, Ram, Range, within
from rig.families.esp32.formats.header import Refused
from rig.families.esp32.formats.idf import Idf

_STACK_ROOM = 0x8000
_OLD_DRAM_START, _OLD_IRAM_END, _OLD_ALIAS_END = 0x3FAE_0000, 0x400A_0000, 0x3FFF_FFFC


def check_ram(number: int, start: int, length: int, chip: Chip, release: Idf) -> None:
    """Whether segment `number`, `length` bytes from address `start`, may be loaded. Raises Refused."""
    end = start + length
    ram = _as_known(chip, release)
    if not release.does(esp_idf.CHECKS_LOAD_ADDRESSES):
        _check_ends(number, start, end, ram)
        return
    found = _clash(ram, start, end, reaches_end=release.does(esp_idf.SEGMENTS_REACH_THE_END))
    if found is not None:
        reason, (low, high) = found
        raise Refused("address", f"Segment {number} 0x{_word(low)}-0x{_word(high)} invalid: {reason}")


def _as_known(chip: Chip, release: Idf) -> Ram:
    """The memories of an ESP32 as `release` names them."""
    ram = chip.ram
    if chip.name != ESP32.name:
        return ram
    if not release.does(esp_idf.MORE_IRAM):
        ram = replace(ram, iram=(ram.iram[0], _OLD_IRAM_END))
    if not release.does(esp_idf.RIGHT_DRAM_START):
        ram = replace(ram, dram=(_OLD_DRAM_START, ram.dram[1]))
    return ram if release.does(esp_idf.INVERTED_ALIAS) else replace(ram, inverted=False)


def _clash(ram: Ram, start: int, end: int, *, reaches_end: bool, aliased: bool = False) -> tuple[str, Range] | None:
    """Why a stretch may not be loaded, and the stretch that is told: it may be that of the memory's other name."""
    last = end - 1 if reaches_end else end
    stretch = start, end
    if within(ram.dram, start) and within(ram.dram, last):
        if _overlap(ram.stack, stretch):
            return "overlaps bootloader stack", stretch
        if _overlap(ram.data, stretch):
            return "overlaps bootloader data", stretch
        own, other = ram.dram_alias, ram.iram_alias
    elif within(ram.iram, start) and within(ram.iram, last):
        if _overlap(ram.loader, stretch):
            return "overlaps loader IRAM", stretch
        own, other = ram.iram_alias, ram.dram_alias
    elif any(within(memory, start) and within(memory, last) for memory in ram.rtc):
        return None
    else:
        return "bad load address range", stretch
    if aliased or not _overlap(own, stretch):
        return None
    first = _alias(own, other, start if within(own, start) else own[0], ram.inverted)
    second = _alias(own, other, end if within(own, last) else own[1], ram.inverted)
    return _clash(ram, *sorted((first, second)), reaches_end=reaches_end, aliased=True)


def _alias(own: Range, other: Range, address: int, inverted: bool) -> int:
    return other[0] + (own[1] - address) - 4 if inverted else other[0] + address - own[0]


def _check_ends(number: int, start: int, end: int, ram: Ram) -> None:
    """What was before load addresses were checked: DRAM must end below the stack, anything else off the loader."""
    limit = ram.stack[0]
    if end <= _OLD_ALIAS_END:
        if end > limit:
            stack = f"bootloader stack 0x{_word(limit + _STACK_ROOM)} limit 0x{_word(limit)}"
            raise Refused("address", f"Segment {number} end address 0x{_word(end)} too high ({stack})")
    elif _overlap(ram.loader, (start, end)):
        low, high = ram.loader
        own, loader = f"0x{_word(start)}-0x{_word(end)}", f"0x{_word(low)}-0x{_word(high)}"
        raise Refused("address", f"Segment {number} ({own}) overlaps bootloader IRAM ({loader})")
    memories = (ram.dram, (ram.iram[0], ram.iram_alias[1]), *ram.rtc)
    if not any(within(memory, start) and within(memory, end - 1) for memory in memories):
        raise Refused("fault", "Fatal exception (29): StoreProhibited", "", crashes=True)


def _overlap(one: Range, other: Range) -> bool:
    return one[1] > other[0] and other[1] > one[0]


def _word(address: int) -> str:
    return f"{address & 0xFFFF_FFFF:08x}"
