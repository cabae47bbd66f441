"""What a run will look at, need and take, before it begins; without torch."""
