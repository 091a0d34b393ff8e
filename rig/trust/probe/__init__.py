"""`rig trust probe`: what is right and wrong with the servers behind a name, at each of its addresses."""
