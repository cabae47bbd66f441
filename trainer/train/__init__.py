"""The loop and what it writes."""
