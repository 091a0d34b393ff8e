"""Images for ESP32s as the rig's firmware rooms ask for them: rig.firmware.image_rules says what each member is for.

What reads files is loaded when a file is read: a twin of another kind reads the manifest only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from rig.errors import Misuse
from rig.families.esp32.firmware.details import EspDetails
from rig.families.esp32.firmware.recipes import EspAppRecipe, EspBootloaderRecipe, EspTableRecipe
from rig.families.esp32.firmware.update_attempts import server_trust
from rig.firmware.image_rules import Example, ImageRules, ServerField

if TYPE_CHECKING:
    from rig.firmware.faults import Fault
    from rig.firmware.file_kinds import FileKind
    from rig.firmware.identification import Identification
    from rig.firmware.manifest import Image
    from rig.firmware.server_trust import ServerTrust

_MORE = """\
# How it asks for updates; without it the suites over HTTPS are not run. {mac} is the board's.
#esp32 = { client = "https-ota", url = "https://updates.rig.test/{mac}/app.bin", pins = ["rig-root"], rollback = true }
"""


class EspImages(ImageRules[EspDetails]):
    """Applications, second stages and partition tables; `authorities` tells the names of certificates to pin."""

    kind = "esp32"
    details = EspDetails
    roles = frozenset({
        *("never_confirms", "bootloader", "plain_bootloader", "table", "other_table"),
        *("table_2mb", "table_8mb", "table_16mb"),
    })  # fmt: skip
    known_state = frozenset({"old", "bootloader", "table"})
    recipes = (EspAppRecipe, EspBootloaderRecipe, EspTableRecipe)
    server_field = ServerField("esp32", "client, url and pins")
    example = Example("esp32", {}, _MORE)

    def __init__(self, authorities: Callable[[], Collection[str]]):
        self._authorities = authorities

    def identify(self, data: bytes) -> Identification | None:
        """Images and partition tables."""
        from rig.families.esp32.firmware.identification import identify

        return identify(data)

    def kind_of(self, data: bytes) -> FileKind | None:
        """What lies in its flash."""
        from rig.families.esp32.firmware.file_kinds import kind_of

        return kind_of(data)

    def fill_in(self, details: EspDetails, identified: Identification, source: str) -> EspDetails:
        """With the release of ESP-IDF."""
        from rig.families.esp32.firmware.filled_in import fill_in

        return fill_in(details, identified, source)

    def room(self, roles: Mapping[str, Image]) -> int | None:
        """The smaller slot of the role set's table."""
        from rig.families.esp32.firmware.faults import room

        return room(roles)

    def fault_of_file(self, image: Image, identified: Identification, roles: set[str]) -> Fault | None:
        """Its second stage, or its ROM, is asked."""
        from rig.families.esp32.firmware.faults import fault_of_file

        return fault_of_file(image, identified, roles)

    def fault_of_servers(self, image: Image) -> Fault | None:
        """A pin that no server here has."""
        from rig.families.esp32.firmware.faults import fault_of_pins

        return fault_of_pins(image, self._authorities())

    def faults_of_roles(self, roles: Mapping[str, Image], where: str) -> Iterator[Fault]:
        """Versions, slots and flash."""
        from rig.families.esp32.firmware.faults import faults_of_roles

        return faults_of_roles(roles, where)

    def release(self, content: bytes, name: str) -> bytes:
        """An application that a second stage would start."""
        from rig.families.esp32.firmware.refusal import no_application

        data = super().release(content, name)
        if refused := no_application(data):
            raise Misuse(f"{name} is nothing an ESP32 would start: {refused}", hint="an application's .bin file")
        return data

    def server_trust(self, details: EspDetails) -> ServerTrust | None:
        """What its update client does."""
        return server_trust(details.esp32) if details.esp32 is not None else None
