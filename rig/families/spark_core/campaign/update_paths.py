"""The update paths of a Spark Core as cut maps draw them: their phases, and where each writes."""

from __future__ import annotations

from rig.evidence.update_path import IMAGE, Phase, Stretch, UpdatePath
from rig.families.spark_core.formats import flash as layout

#: The words of the flags page, with some room around them.
_FLAGS = Stretch(layout.FLAGS_ADDRESS, 10, edge=0.1)
_BACKUP = Stretch(layout.BACKUP_ADDRESS, layout.APP_SIZE)
#: The slot for updates: all of it is erased, and the image is written from its begin on.
_SLOT, _IN_SLOT = Stretch(layout.OTA_ADDRESS, layout.SLOT_SIZE), Stretch(layout.OTA_ADDRESS)

_MARK, _KEEP = Phase("mark", 0.14, _FLAGS), Phase("backup", 0.16, _BACKUP)
_COPY = (Phase("erase", 0.24, IMAGE), Phase("program", 0.32, IMAGE), Phase("commit", 0.14, _FLAGS))
CORE_PATHS: dict[str, UpdatePath] = {
    "dfu": (Phase("erase", 0.32, IMAGE), Phase("program", 0.46, IMAGE), Phase("commit", 0.22, _FLAGS)),
    "dfu-external": (Phase("erase", 0.4, IMAGE), Phase("program", 0.6, IMAGE)),
    "ota-copy": (_KEEP, _MARK, *_COPY),
    "factory-reset": (_MARK, _KEEP, *_COPY),
    "deep-update": (
        *(Phase("table", 0.14, IMAGE), Phase("calibration", 0.14, IMAGE), Phase("address", 0.14, IMAGE)),
        *(Phase("driver", 0.34, IMAGE), Phase("firmware", 0.24, IMAGE)),
    ),
    "cloud": (
        *(Phase("hello", 0.09, _FLAGS), Phase("begin", 0.09, _FLAGS), Phase("download-erase", 0.15, _SLOT)),
        *(Phase("download", 0.12, _IN_SLOT), Phase("done", 0.09, _FLAGS), Phase("backup", 0.1, _BACKUP)),
        *(Phase("mark", 0.09, _FLAGS), Phase("erase", 0.08, IMAGE), Phase("program", 0.1, IMAGE)),
        Phase("commit", 0.09, _FLAGS),
    ),
}
