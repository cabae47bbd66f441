"""What a run is on disk and what its events mean."""
