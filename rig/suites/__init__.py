"""Running the board suites: pytest in a process, what it asks for, who runs what, and what becomes of each test."""
