"""What a run is about to test, put together before it begins: firmware, rig, rack and the choice of tests."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from rig import __version__
from rig.evidence.identity import ImageUsed, RunIdentity
from rig.evidence.testbed import Testbed
from rig.files import MOST_TEXT, read_user_file
from rig.firmware.manifest import Manifest


def what_is_tested(run: str, firmware: Manifest, testbed: Testbed, selection: str) -> RunIdentity:
    """The identity of a run; `selection` says which tests were chosen. Raises Misuse for a manifest that went."""
    return RunIdentity(
        run=run,
        began=datetime.now(UTC).isoformat(timespec="seconds"),
        rig=__version__,
        manifest=str(firmware.path),
        manifest_sha256=hashlib.sha256(read_user_file(firmware.path, MOST_TEXT)).hexdigest(),
        selection=selection,
        testbed=testbed,
        firmware=tuple(
            ImageUsed(name=one.name, board=one.board, version=one.version, sha256=one.sha256)
            for one in firmware.parts()
        ),
    )
