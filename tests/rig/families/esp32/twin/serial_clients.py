"""Clients of an ESP32's serial port that others wrote, in releases of then and now, installed where they are kept.

`RIG_CLIENTS` names the folder, else it is in the user's cache; what is there is not asked for again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rig.families.esp32.twin.models import ServedBoard

KEPT = Path(os.environ.get("RIG_CLIENTS") or Path.home() / ".cache" / "ota-rig" / "serial-clients")
BROWSER = Path(__file__).with_name("web_serial_read.mjs")
INSTALL_SECONDS = 300


@dataclass(frozen=True)
class Esptool:
    """esptool in an environment of its own."""

    version: str
    #: esptool 5 writes its commands with dashes.
    command: str = "read_flash"
    #: Whether it comes over RFC 2217, or over a plain socket to a board that waits.
    resets: bool = True

    def read(self, served: ServedBoard, length: int, file: Path) -> list[str]:
        """The command that reads flash from 0."""
        folder = KEPT / f"esptool-{self.version}"
        python = folder / "bin" / "python"
        if not python.exists():
            _install([sys.executable, "-m", "venv", str(folder)])
            # Release 3 asks setuptools for its own version.
            _install([str(python), "-m", "pip", "install", "-q", f"esptool=={self.version}", "setuptools<80"], folder)
        if not self.resets:
            served.into_download()
        port = ["--chip", "esp32", "--port", served.rfc2217_url if self.resets else served.plain_url]
        return [str(python), "-m", "esptool", *port, self.command, "0", hex(length), str(file)]


@dataclass(frozen=True)
class EsptoolJs:
    """esptool-js as a page has it; Web Serial is played by a socket."""

    version: str

    def read(self, served: ServedBoard, length: int, file: Path) -> list[str]:
        """The command that reads flash from 0 over a plain socket, of a board that waits."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            pytest.skip("esptool-js needs node and npm")
        folder = KEPT / f"esptool-js-{self.version}"
        if not (folder / "node_modules").exists():
            _install([npm, "install", "--silent", "--prefix", str(folder), f"esptool-js@{self.version}"], folder)
        served.into_download()
        return [node, str(BROWSER), str(folder), str(served.plain), str(length), str(file)]


def _install(command: list[str], folder: Path | None = None) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"cannot be installed: {error}")


@contextmanager
def busy(loops: int, seconds: float) -> Iterator[None]:
    """While inside, so many processes do nothing but use the processor; none outlives `seconds`, or this process."""
    idle = (
        "import os, time\n"
        f"end = time.monotonic() + {seconds}\n"
        f"while time.monotonic() < end and os.getppid() == {os.getpid()}: pass"
    )
    # Sessions of their own, else a kernel that groups by session gives them all one process's share.
    processes = [subprocess.Popen([sys.executable, "-c", idle], start_new_session=True) for _ in range(loops)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
