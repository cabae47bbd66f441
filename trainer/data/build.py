"""Read, parse, encode and collate the records of one micro-batch."""

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.data.errors import DataRefused, OverLong, RecordError
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.samples import BatchArrays, Sample, Skipped, collate
from trainer.data.worker import Request


@dataclass(frozen=True, eq=False)
class BatchBuilder:
    """Makes batches from record numbers; can be sent to worker processes."""

    preprocessing: Preprocessing
    records: Mapping[str, Records]  # by split

    def __call__(self, request: Request) -> BatchArrays:
        """Return the batch of a request's records; those that cannot be used leave holes.

        Raises:
            DataRefused: A record cannot be used, and the configuration says to refuse those.
            DataChanged: A file is no longer the one that was indexed.

        """
        made = [self.sample(request.split, record) for record in request.records]
        samples = [sample for sample in made if isinstance(sample, Sample)]
        skipped = [hole for hole in made if isinstance(hole, Skipped)]
        return collate(samples, skipped, self.preprocessing.pad_id)

    def sample(self, split: str, record: int) -> Sample | Skipped:
        """Return one record's sample, or why there is none; raises as a call does."""
        try:
            return self.preprocessing.encode(self.records[split][record])
        except RecordError as error:
            return self._hole(error)

    def describe(self, request: Request) -> str:
        """Return how many records a request is for and where they lie, for messages."""
        dataset = self.records[request.split].dataset
        sources = [str(dataset.source(record)) for record in request.records]
        more = f" and {len(sources) - 8} more" if sources[8:] else ""
        return f"{len(sources)} {request.split} records: {', '.join(sources[:8])}{more}"

    def _hole(self, error: RecordError) -> Skipped:
        options = self.preprocessing.options
        over_long = isinstance(error, OverLong)
        key, policy = (
            ("over_long", options.over_long) if over_long else ("bad_records", options.bad_records)
        )
        if policy == "refuse":
            raise DataRefused(f"{error} (or set data.{key}=skip)") from error
        return Skipped(error.source, error.reason)
