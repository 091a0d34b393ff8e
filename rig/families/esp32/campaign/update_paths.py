"""The update paths of an ESP32 as cut maps draw them: their phases, and where each writes."""

from __future__ import annotations

from rig.evidence.update_path import IMAGE, Phase, UpdatePath

#: Over the air all phases but the download write otadata, or nothing: a cut there has no place within its phase.
ESP32_PATHS: dict[str, UpdatePath] = {
    "serial": (Phase("erase", 0.3, IMAGE), Phase("program", 0.7, IMAGE)),
    "https": (
        *(Phase("forget", 0.07), Phase("download", 0.2, IMAGE), Phase("end", 0.06), Phase("choose", 0.09)),
        *(Phase("chosen", 0.09), Phase("first-boot", 0.11), Phase("probation", 0.11), Phase("abort", 0.08)),
        *(Phase("confirm", 0.08), Phase("confirmed", 0.11)),
    ),
}
