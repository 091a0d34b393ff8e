"""Images: what they are, where they come from, and how they behave when they run."""
