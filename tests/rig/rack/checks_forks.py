"""Named checks of test_mutants about processes that a fork server makes: each is one of its own."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from rig.errors import LabFault
from rig.families.spark_core.lab.rack_slot import CoreSlot
from rig.rack import rack
from rig.rack.children import Child, Children
from rig.rack.fork_server import PYTHON_MODULE
from rig.rack.plan import RackPlan
from tests.rig.waiting import HANGS, until

#: Says what it finds itself to be, and that it ends, when it is told to.
PROGRAM = """
import json, os, random, secrets, signal, ssl, sys, tempfile
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
opened = [number for number in range(64) if os.path.exists(f"/proc/self/fd/{number}")]
print(json.dumps({
    "words": sys.argv[1:],
    "files": [os.readlink(f"/proc/self/fd/{number}") for number in opened],
    "drawn": [random.random(), secrets.token_hex(8), ssl.RAND_bytes(8).hex(), tempfile.mktemp()],
    "session": os.getsid(0) == os.getpid(),
    "main": __name__,
}), flush=True)
signal.sigwait([signal.SIGTERM])
print("ended as it was told", flush=True)
"""


@contextmanager
def forking(folder: Path) -> Iterator[Children]:
    """Children in a folder with that program, forked meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program.py").write_text(PROGRAM)
    children = Children(folder)
    try:
        with children.forked():
            for module in ("ssl", "secrets", "tempfile"):
                children.load(module)
            yield children
    finally:
        children.stop()


def start(children: Children, name: str) -> tuple[Child, dict[str, Any]]:
    """One that runs, and what it says of itself."""
    child = children.start(name, [*PYTHON_MODULE, "program", name])
    out = children._folder / f"{name}.out"
    until(lambda: "\n" in out.read_text(), "it to speak", seconds=HANGS)
    return child, json.loads(out.read_text())


def _ended_as_told(folder: Path, child: Child) -> bool:
    process = psutil.Process(child.process.pid) if psutil.pid_exists(child.process.pid) else None
    if process is not None:
        process.terminate()
        until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "its end", seconds=HANGS)
    return "ended as it was told" in (folder / f"{child.name}.out").read_text()


def one_that_is_killed_harms_no_other(folder):
    with forking(folder) as children:
        first, second = (start(children, name)[0] for name in ("first", "second"))
        psutil.Process(first.process.pid).kill()
        until(lambda: _is_gone(first.process.pid), "the first to end", seconds=HANGS)
        assert _ended_as_told(folder, second), "it was ended by the other's death"


def none_needs_the_server_that_made_it(folder):
    with forking(folder) as children:
        child, _ = start(children, "only")
        children._forks._process.kill()
        children._forks._process.wait()
        assert _ended_as_told(folder, child), "it was ended by the server's death"


def each_draws_random_numbers_of_its_own(folder):
    with forking(folder) as children:
        drawn = [start(children, name)[1]["drawn"] for name in ("first", "second")]
    assert all(mine != its for mine, its in zip(*drawn, strict=True)), drawn


def nothing_of_the_server_is_left_in_it(folder):
    with forking(folder) as children:
        _, told = start(children, "only")
    assert told["files"] == ["/dev/null", f"{folder}/only.out", f"{folder}/only.log"]
    assert (told["words"], told["main"], told["session"]) == (["only"], "__main__", True)


def ps_shows_its_own_command(folder):
    with forking(folder) as children:
        shown = psutil.Process(start(children, "only")[0].process.pid).cmdline()
    assert shown[-3:] == ["-m", "program", "only"], shown


def none_is_forked_from_threads(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=[99]).start()"
    )
    with forking(folder) as children:
        children.load("threaded")
        with contextlib.suppress(LabFault):
            start(children, "only")
            raise AssertionError("a lock that a thread held would be held in the fork for ever")


def only_families_of_the_rack_are_loaded(_folder):
    modules = rack.programs(RackPlan([CoreSlot()]))
    code = f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    of_twins = {name for name in loaded if re.match(r"rig\.families\.\w+\.(twin|lab|servers)\.", name)}
    assert of_twins, "it has loaded nothing that a Core needs"
    assert all(name.startswith("rig.families.spark_core.") for name in of_twins), of_twins


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
