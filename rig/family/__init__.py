"""What a board family gives the rig: its contract, and the parts that this names."""
