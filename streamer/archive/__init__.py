"""Whole archives tagged, on all cores of one machine or of many."""
