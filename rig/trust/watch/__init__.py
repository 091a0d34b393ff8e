"""`rig trust watch`: endpoints day and night, against the pins of shipped firmware."""
