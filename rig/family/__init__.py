"""What a board family gives the rig: its contract, the registry, its virtual slot."""
