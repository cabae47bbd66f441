"""Keeps a run going without a terminal."""
