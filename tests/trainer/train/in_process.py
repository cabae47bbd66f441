"""Run the training loop in the process of a test."""

from dataclasses import dataclass
from typing import Any

from trainer.run.codec import decode
from trainer.run.events import AnyEvent
from trainer.train.loop import Outcome, train
from trainer.train.progress import Progress
from trainer.train.requests import Requests
from trainer.train.setup import Setup
from trainer.train.skipped import write_data_record


@dataclass
class Trained:
    """A run in this process."""

    setup: Setup
    progress: Progress
    requests: Requests

    def go(self) -> Outcome:
        with self.setup.pool:
            write_data_record(self.setup)
            return train(self.setup, self.progress, self.requests)

    def of(self, kind: type) -> list[Any]:
        lines = self.setup.run.layout.events.read_bytes().splitlines()
        events: list[AnyEvent] = [decode(line) for line in lines]
        return [event for event in events if isinstance(event, kind)]
