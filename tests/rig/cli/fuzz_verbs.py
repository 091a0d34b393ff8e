"""A fuzzer of the command: every verb with hostile options and files, in this process. A share of it runs in CI.

python -m tests.rig.cli.fuzz_verbs --inputs 100000 --seed 1

Servers end as soon as they are ready, a run as soon as pytest would begin, and nothing but loopback is reached.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import ipaddress
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rig.cli import main as entry
from tests.rig.cli.hostile_files import Files
from tests.rig.cli.hostile_words import SLOW, Verb, verbs, words

#: No input may need more of the processor than this; what needs none and does not end either has hung.
MOST_SECONDS, HANGS_SECONDS = 20, 300
BROKE = "the rig itself broke"
# -- the world of an input ---------------------------------------------------------------------------------------------


class TooSlow(BaseException):
    """An input did not end."""


def _serve_for_a_moment(start_up: Any, close: Any, on_ready: Any = None, **_named: object) -> None:
    async def main() -> None:
        try:
            ready = await start_up()
            if on_ready is not None:
                on_ready(ready)
        finally:
            closing = close()
            if closing is not None:
                await closing

    asyncio.run(main())


def _loopback_only(host: Any, *rest: Any, **named: Any) -> Any:
    """Names but localhost are unknown; one that is no name fails as the library's own does."""
    told = host.decode() if isinstance(host, bytes) else host
    if told not in (None, "", "localhost"):
        told.encode("idna")
        try:
            ipaddress.ip_address(told.partition("%")[0])
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return REAL_LOOKUP(host, *rest, **named)


def _no_program(*_words: object, **_named: object) -> Any:
    raise FileNotFoundError(2, "No such file or directory", "a program")


def _connect(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(101, "Network is unreachable")
    REAL_CONNECT(self, address)


def _bind(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        _loopback_only(address[0], address[1])
    REAL_BIND(self, address)


def _no_coordinator(*_words: object, **_named: object) -> Any:
    raise OSError(111, "Connection refused")


def _ends_at_once(*_words: object) -> Any:
    raise KeyboardInterrupt


REAL_LOOKUP, REAL_CONNECT, REAL_BIND = socket.getaddrinfo, socket.socket.connect, socket.socket.bind


@contextlib.contextmanager
def safe_world() -> Iterator[None]:
    """Nothing of an input outlives it, or leaves this machine."""
    import pytest

    from rig.families.esp32.lab import twin as esp32_twin
    from rig.families.spark_core.lab import cloud as clouds
    from rig.families.spark_core.lab import twin as twins
    from rig.lab import coordinator
    from rig.rack import rack, relay
    from rig.servers.https import process as https_cloud
    from rig.suites import run as suites
    from rig.suites.selection import Chosen
    from rig.trust.watch import service

    async def served(_self: object) -> None:
        return None

    with contextlib.ExitStack() as stack:
        for module in (clouds, esp32_twin, https_cloud, relay, twins):
            stack.enter_context(patch.object(module, "serve", _serve_for_a_moment))
        for where, name, instead in (
            (rack.VirtualRack, "__enter__", _ends_at_once),
            (suites, "choose", lambda _what: [Chosen("test_it.py::test_it", "it", "spark-core", {})]),
            (suites.pytest, "main", lambda *_words, **_named: pytest.ExitCode.OK),
            (coordinator, "start_session", _no_coordinator),
            (service._Service, "serve", served),
            (socket, "getaddrinfo", _loopback_only),
            (socket.socket, "connect", _connect),
            (socket.socket, "bind", _bind),
            (subprocess, "Popen", _no_program),
            (asyncio, "create_subprocess_exec", _no_program),
        ):
            stack.enter_context(patch.object(where, name, instead))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Ended:
    """How an input ended: its exit status and all that was printed; `fault` is what is wrong with that."""

    words: list[str]
    status: object
    out: str
    fault: str | None

    def __str__(self) -> str:
        return f"{self.fault}\n  rig {shlex.join(self.words)}\n  exit {self.status}\n{self.out[-3000:]}"


def run(said: list[str]) -> Ended:
    """Say it, and judge the end."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    begun, handlers = dict(os.environ), {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    signal.alarm(HANGS_SECONDS)
    status: object = 0
    failed = ""
    try:
        with patch.multiple(sys, argv=["rig", *said], stdout=streams[0], stderr=streams[1]):
            entry.main()
    except SystemExit as end:
        status = end.code or 0
    except TooSlow:
        status = "too slow"
    except BaseException:
        failed = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        os.environ.clear()
        os.environ.update(begun)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    out, errors = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in streams)
    return Ended(said, status, out + errors + failed, _fault(said, status, out, errors, failed))


def _too_slow(*_words: object) -> None:
    raise TooSlow


def _fault(said: list[str], status: object, out: str, errors: str, failed: str) -> str | None:
    if failed or "Traceback" in errors:
        return "an exception"
    if status not in (0, 1, 2, 3):
        return f"status {status}"
    if BROKE in errors:
        return BROKE
    if acts := [letter for letter in out + errors if not letter.isprintable() and letter not in "\n"]:
        return f"{acts[0]!r} acts on a terminal"
    is_silent = status in (2, 3) and not (out + errors).strip()
    return "nothing is said" if is_silent and said[0] != "run" else None  # a run writes past these streams


#: What options name that lead somewhere: servers and twins that are started for it, and where they say they are.
SERVERS = {
    "cloud https": ("--listen 127.0.0.1:0 --control 127.0.0.1:0 --state https --json", "control"),
    "cloud spark": ("--listen 127.0.0.1:0 --control 127.0.0.1:0 --json", "control"),
    "dfu": ("twin spark-core --state core --time-scale 0", "usbip"),
}  # fmt: skip


@contextlib.contextmanager
def servers() -> Iterator[dict[str, dict[str, str]]]:
    """For verbs by how they begin, what to name to reach one."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name, (options, option) in SERVERS.items():
            command = [
                sys.executable,
                "-m",
                "rig",
                *(name.split() if name.startswith("cloud") else ()),
                *options.split(),
            ]
            child = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            stack.callback(child.terminate)
            output = json.loads(child.stdout.readline())
            found[name] = {option: f"127.0.0.1:{output[option]['port']}"}
        yield found


def places_of(verb: Verb, known: Mapping[str, dict[str, str]]) -> dict[str, str]:
    """What this verb can reach; those that listen until Ctrl-C reach nothing."""
    if verb.words[-1] == "events":
        return {}
    return next((told for name, told in known.items() if str(verb).startswith(f"{name} ")), {})


@contextlib.contextmanager
def workshop() -> Iterator[Files]:
    """The files, in a folder of their own that is the current one."""
    former = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="rig-fuzz-") as folder:
        os.chdir(folder)
        try:
            yield Files(Path(folder))
        finally:
            os.chdir(former)


def main() -> int:
    """Fuzz until so many inputs were tried; each fault is printed once a place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verb", default="")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    asked = parser.parse_args()
    chosen = [verb for verb in verbs() if asked.verb in str(verb)]
    counts, spent, statuses, faults = Counter[str](), Counter[str](), Counter[object](), Counter[str]()
    until, shares = time.monotonic() + asked.seconds, [0.1 if str(verb) in SLOW else 1 for verb in chosen]
    with workshop() as files, servers() as known, safe_world():
        for number in range(asked.inputs):
            if time.monotonic() > until:
                break
            rng = random.Random(f"{asked.seed}/{number}")
            (verb,) = rng.choices(chosen, shares)
            began = time.monotonic()
            ended = run(words(rng, verb, files, places_of(verb, known)))
            spent[str(verb)] += time.monotonic() - began
            counts[str(verb)] += 1
            statuses[ended.status] += 1
            if ended.fault is not None:
                what = f"{verb}: {ended.fault}: {ended.out.strip().splitlines()[-1][:120] if ended.out.strip() else ''}"
                faults[what] += 1
                if faults[what] == 1:
                    print(f"-- input {number} of seed {asked.seed}: {ended}", flush=True)
    total = sum(counts.values())
    print(f"{total} inputs, {sum(faults.values())} faults; statuses {dict(statuses)}")
    for name, count in sorted(counts.items()):
        print(f"  {count:6} {spent[name]:7.1f} s  {name}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
