"""How a Core ends a connection by itself."""


class HangUp(Exception):
    """The Core closes the connection."""
