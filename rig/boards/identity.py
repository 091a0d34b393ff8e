"""Whether a board is the one that its place's tags name: asked of the board itself, before anything is done to it.

Each family compares what its own boards tell.
"""

from __future__ import annotations


def unless_miswired(board: str, tag: str) -> str:
    """What mends a tag that names another board than the one that answers: `tag` is what this one tells."""
    return f"`labgrid-client -p {board} set-tags {tag}`, unless its wires lead to the wrong board"
