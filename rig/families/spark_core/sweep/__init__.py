"""The update paths of a Core as sweeps cut them."""
