"""The terminal side of qvl."""
