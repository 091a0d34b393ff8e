"""Boards that are not there: models without input and output, and the thin processes that put them on real wires."""
