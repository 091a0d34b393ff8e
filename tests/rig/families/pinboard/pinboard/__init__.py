"""Pinboards: a board family outside of the rig's package, one module for each of the rig's rooms."""

#: What they are called in manifests, markers, tags and commands.
KIND = "pinboard"
