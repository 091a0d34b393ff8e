"""Byte layouts that both ends of a wire share, without any input or output of their own."""
