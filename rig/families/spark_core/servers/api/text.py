"""Text of the API is UTF-8; what a session says to a Core and hears of it is bytes, written as Latin-1."""

from __future__ import annotations


def to_core(text: str) -> str:
    """Text as a session takes it: a character a byte."""
    return text.encode("utf-8", "replace").decode("latin-1")


def from_core(text: str) -> str:
    """What a session heard, as text; bytes that are no UTF-8 are replaced."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")
