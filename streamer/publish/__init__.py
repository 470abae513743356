"""Verdicts made messages, and the socket they go out by."""
