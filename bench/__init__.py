"""Benchmarks: one script a question, each prints one JSON object last and asserts nothing."""
