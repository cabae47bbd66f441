"""What keeps a measurement from being made."""


class BenchFailed(Exception):
    """A process that takes part failed; the message says which, why, and where its log is."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
