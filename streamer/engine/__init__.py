"""Whose turn it is: the life of stations, due windows of all of them in one batch."""
