"""A fuzzer guided by coverage: lines of any kind against a twin's control port, and requests against its relay.

python -m tests.rig.twin.fuzz_lines -runs=1000000
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rig.formats.json_object", "rig.twin.control", "rig.twin.modbus"]):
    from rig.formats.json_object import NotAnObject, read_object
    from rig.twin.modbus import answer

from rig.families.spark_core.twin.controls import CoreControls
from rig.twin.real_time import RealTime
from tests.rig.families.spark_core.twin.models import core_in_memory


class Coils:
    """Four of them."""

    def read(self):
        return [True, False, False, False]

    def write(self, address, values):
        assert 0 <= address < 4
        assert 1 <= len(values) <= 4 - address


async def main() -> None:
    core = core_in_memory()
    server = CoreControls(core, RealTime(core, Path(tempfile.mkdtemp()))).server()

    def one(data: bytes) -> None:
        if data[:1] and data[0] & 1 and len(data) > 1:
            assert answer(data[1:], Coils())[0] & 0x7F == data[1] & 0x7F
            return
        told = server.answer(data[1:])
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        try:
            json.dumps(read_object(data[1:]), ensure_ascii=False, allow_nan=False).encode()
        except NotAnObject:
            assert "error" in told

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


asyncio.run(main())
