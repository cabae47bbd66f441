"""The error a person can mend: a checkpoint, adapter or option that does not fit."""


class ModelError(ValueError):
    """A model cannot be loaded, adapted or saved as asked; the message says what to do."""
