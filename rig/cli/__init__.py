"""The `rig` command: one thin module a verb, which reads options, calls the room that knows, and prints."""
