"""How the rig reaches hardware: labgrid drivers and the links beneath them. Nothing above knows which kind it holds."""
