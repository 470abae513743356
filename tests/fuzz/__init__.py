"""Mutated inputs against everything that reads what strangers send; `python -m tests.fuzz` runs long."""
