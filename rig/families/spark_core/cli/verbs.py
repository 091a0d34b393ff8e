"""The verbs of the `rig` command that are for Spark Cores only."""

from __future__ import annotations

from rig.families.spark_core.cli import cloud, deep_update, dfu, twin
from rig.family.verb import Verb

VERBS = (
    Verb("spark-core", twin.app, under="twin"),
    Verb("spark", cloud.app, under="cloud"),
    Verb("dfu", dfu.app),
    Verb("deep-update", deep_update.deep_update),
)
