"""Pictures and what is marked in them, changed together while training."""
