"""The formats people write records in, each turned into the one kind of record."""
