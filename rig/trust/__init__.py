"""Identities: the keys and certificates that boards and servers know one another by."""
