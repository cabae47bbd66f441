"""Stream records out of the containers people keep them in: JSON, tables, hub data sets."""
