"""One small patch per row of the faults that breaks its guard: the row's test must then fail."""
