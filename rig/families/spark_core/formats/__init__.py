"""Byte layouts that only a Spark Core has, sans I/O."""
