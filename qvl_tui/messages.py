"""What screens and widgets tell the app and each other."""

from collections.abc import Sequence
from pathlib import Path

from textual.message import Message

from trainer.run.layout import RunLayout


class OpenRun(Message):
    """Show one run."""

    def __init__(self, layout: RunLayout) -> None:
        self.layout = layout
        super().__init__()


class OpenNewRun(Message):
    """Show the form of a new run, filled from a configuration file where one is given."""

    def __init__(self, like: Path | None = None) -> None:
        self.like = like
        super().__init__()


class OpenCompare(Message):
    """Show several runs in the same charts."""

    def __init__(self, layouts: Sequence[RunLayout]) -> None:
        self.layouts = tuple(layouts)
        super().__init__()


class OpenData(Message):
    """Show records as the model reads them."""

    def __init__(self, arguments: Sequence[str], title: str) -> None:
        self.arguments = tuple(arguments)  # as `qvl data show` takes them
        self.title = title
        super().__init__()


class JumpToStep(Message):
    """Put the cursor of the charts on a step."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__()


class SettingsChanged(Message):
    """A view setting changed: save it, and draw anew what depends on it."""
