"""`rig trust timeline`: when firmware in the field loses which of its servers."""
