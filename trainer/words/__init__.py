"""Runs, events and numbers in the words that people read, for commands and screen."""
