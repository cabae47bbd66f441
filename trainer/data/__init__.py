"""From JSONL files to batches."""
