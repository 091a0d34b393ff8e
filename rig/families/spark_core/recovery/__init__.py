"""How a Spark Core is brought back: rungs, known state."""
