"""What a board became after a cut, and the ladder of rungs that brings it back."""
