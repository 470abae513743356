"""Samples in, log-mel windows out; state in the objects and nowhere else."""
