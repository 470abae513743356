"""Subscribers that carry what is said to where other systems look for it."""
