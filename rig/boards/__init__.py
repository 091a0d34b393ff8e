"""What one does with a board, whichever tier it is on."""
