"""What the verbs of the `rig` command share, those that families bring too: how they print, and options they have."""
