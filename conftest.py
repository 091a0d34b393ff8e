"""Loads the rig's pytest plugin for every test of the project."""

pytest_plugins = ["rig.plugin"]
