"""`rig trust swap`: another identity for an nginx elsewhere, over SSH, with a way back."""
