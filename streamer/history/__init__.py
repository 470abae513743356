"""What stations played, kept: segments, tracks and hourly shares, written by one subscriber, read by all."""
