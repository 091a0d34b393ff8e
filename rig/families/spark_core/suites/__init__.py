"""Fixtures for the suites of Spark Cores."""
