"""Stations on many machines: shards of them as actors of a Ray cluster."""
