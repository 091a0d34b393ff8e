"""A family that nobody has: lamps, for tests of what the rig asks of any family about images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Literal
from unittest.mock import patch

from rig import registry
from rig.errors import Misuse
from rig.firmware.faults import Fault
from rig.firmware.file_kinds import FileKind
from rig.firmware.identification import APPLICATION, Identification
from rig.firmware.image_rules import Bootloaders, Details, Example, ImageRules, ServerField
from rig.firmware.recipe import AnyRecipe
from rig.firmware.server_trust import Attempt, ServerTrust

ROOM = 64


def lamp_image(version: int = 1, colour: str = "red", size: int = 32) -> bytes:
    """An application for lamps: it tells its version and its colour."""
    return (b"LAMP" + bytes([version]) + colour.encode().ljust(8, b" ")).ljust(size, b"l")


class LampDetails(Details):
    colour: Literal["red", "green"] | None = None
    asks: str | None = None


class LampRecipe(AnyRecipe):
    kind: Literal["lamp-app"]
    version: int

    def build(self) -> bytes:
        return lamp_image(self.version)


class LampImages(ImageRules[LampDetails]):
    kind = "lamp"
    details = LampDetails
    roles = frozenset({"shade"})
    known_state = frozenset({"old", "shade"})
    recipes = (LampRecipe,)
    bootloaders = Bootloaders(("bulb",), 16)
    server_field = ServerField("asks", "a host")
    example = Example("lamp", {}, '#colour = "green"\n')

    def identify(self, data):
        return Identification(APPLICATION, len(data), "", "lamp", "LAMP", str(data[4])) if data[:4] == b"LAMP" else None

    def kind_of(self, data):
        return FileKind("a shade", "hang it up") if data[:5] == b"SHADE" else None

    def fill_in(self, details, told, source):
        return details if details.colour is not None else details.model_copy(update={"colour": "green"})

    def room(self, roles):
        return ROOM

    def fault_of_file(self, image, told, roles):
        return Fault(image.name, f"a lamp has room for {ROOM}") if len(image) > ROOM else None

    def fault_of_servers(self, image):
        return Fault(image.name, "nobody answers") if image.details.asks == "nobody.test" else None

    def faults_of_roles(self, roles, where):
        if roles["old"].details.colour != roles["new"].details.colour:
            yield Fault(where, "lamps never change their colour")

    def release(self, content, name):
        data = super().release(content, name)
        if data[:4] != b"LAMP":
            raise Misuse(f"{name} gives no light")
        return data

    def server_trust(self, details):
        return ServerTrust((Attempt(f"https://{details.asks}/", ("rig-root",)),)) if details.asks else None


FAMILY = SimpleNamespace(kind="lamp", title="Lamp", images=LampImages())


@contextmanager
def lamps() -> Iterator[None]:
    """Let a package with lamps be installed, beside the rig's own families."""
    found = {**registry._found(), "lamp": EntryPoint("lamp", "tests.rig.firmware.lamp_family:FAMILY", registry.GROUP)}
    with patch.object(registry, "_found", lambda: dict(sorted(found.items()))):
        yield
    registry.family.cache_clear()
