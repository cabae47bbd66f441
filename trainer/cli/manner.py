"""In which manner a run is started."""

from dataclasses import dataclass

from trainer.cli.terminal import CommandFailed


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Who stays with the run, and what is shown."""

    detach: bool
    foreground: bool
    events: str | None  # `-`: the events are copied to standard output
    json: bool

    def __post_init__(self) -> None:
        if self.detach and self.foreground:
            raise CommandFailed("--detach and --foreground exclude each other", code=2)
        if self.events not in (None, "-"):
            raise CommandFailed("--events takes only `-`; `qvl events RUN` reads them later", 2)
        if self.detach and self.events:
            raise CommandFailed("--events needs somebody who stays: leave out --detach", code=2)
        if self.json and not self.detach:
            raise CommandFailed("--json goes with --detach; for the events: --events -", code=2)
