"""Taking the supply away at a chosen moment, and finding out afterwards where that was."""
