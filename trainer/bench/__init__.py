"""Measure how fast training is, alone and against others that do the same work."""
