"""Write files that training can do without: a full disk is a notice, not the end of the run."""

from collections.abc import Callable

from trainer.run.events import Notice
from trainer.train.setup import Setup


def write_side_file(setup: Setup, what: str, write: Callable[[], None]) -> None:
    """Call `write`; where the disk refuses, say so and go on."""
    try:
        write()
    except OSError as error:
        setup.recorder.write(Notice(topic="disk", message=f"{what} could not be written: {error}"))
