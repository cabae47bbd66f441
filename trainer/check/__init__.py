"""Look at every record before a run: what it takes and what is wrong with it; without torch."""
