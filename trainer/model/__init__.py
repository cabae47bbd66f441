"""From a checkpoint on disk to a trainable model."""
