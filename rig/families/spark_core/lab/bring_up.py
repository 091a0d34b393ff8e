"""Bring-up of Cores as `rig lab bring-up` asks for it."""

from __future__ import annotations

from collections.abc import Callable

from rig.families.spark_core.boards.board import SparkCore
from rig.families.spark_core.boards.bring_up import BroughtUp, Recipe, bring_up, recipe_from
from rig.families.spark_core.trust.core_key import read_server_key
from rig.family.bring_up import BringUpOptions
from rig.firmware.manifest import Manifest


class CoreBringUp:
    """Bootloader read, keys and server, factory and application images, a first start."""

    columns: tuple[str, ...] = ("serial", "bootloader", "application", "factory", "server", "key")

    def recipe(self, known: Manifest, options: BringUpOptions) -> Recipe:
        """Images of the manifest, and the server that was named. Raises Misuse."""
        key = read_server_key(options.server_key) if options.server_key is not None else None
        return recipe_from(
            known, release=options.release, server_key=key, server=options.server, new_key=options.new_key
        )

    def run(self, board: SparkCore, recipe: Recipe, known: Manifest, note: Callable[[str], None]) -> BroughtUp:
        """Make the Core known, each step read back. Raises DeviceFault, LabFault, Misuse."""
        return bring_up(board, recipe, known, note)
