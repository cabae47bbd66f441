"""Read, parse, encode and collate the samples of one micro-batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer.data.dense.group import DenseGroup
from trainer.data.encoding import Encoder
from trainer.data.errors import DataRefused, OverLong, RecordError, Source, named
from trainer.data.gallery import Grid, KeptImages
from trainer.data.grouping import Grouping
from trainer.data.reading import Records
from trainer.data.records import DenseRecord, Record
from trainer.data.samples import BatchArrays, Sample, Skipped, collate
from trainer.data.variation import Variation
from trainer.data.worker import Request


@dataclass(frozen=True, eq=False)
class Split:
    """The records of one split, and which of them make which sample."""

    records: Records
    grouping: Grouping


@dataclass(frozen=True, eq=False)
class BatchBuilder:
    """Makes batches from sample numbers; can be sent to worker processes."""

    encoder: Encoder
    splits: Mapping[str, Split]
    keys: bool = False  # images get keys, and those that are kept are not decoded
    _kept: dict[bytes, Grid] = field(default_factory=dict[bytes, Grid], init=False)

    def __call__(self, request: Request) -> BatchArrays:
        """Return the batch of a request's samples; what cannot be used leaves holes.

        Raises:
            DataRefused: A record cannot be used, and the configuration says to refuse those.
            DataChanged: A file is no longer the one that was indexed.

        """
        self._kept.update(request.kept)
        samples: list[Sample] = []
        skipped: list[Skipped] = []
        for number in request.samples:
            sample, holes = self.sample(request, number)
            samples += [sample] if sample is not None else []
            skipped += holes
        return collate(samples, skipped, self.encoder.pad_id)

    def sample(self, request: Request, number: int) -> tuple[Sample | None, list[Skipped]]:
        """Return a sample, and the records that are missing from it; raises as a call does.

        A group goes without a record that cannot be used; it is None without any.
        """
        split = self.splits[request.split]
        summarised = split.grouping.summarised(number, request.epoch)
        kept: list[Record] = []
        skipped: list[Skipped] = []
        for member in split.grouping.members(number, request.epoch):
            try:
                kept.append(split.records[member])
            except RecordError as error:
                skipped.append(self._hole(error, error.source))
        while kept:
            try:
                content = _content(kept, summarised)
                variation = self.variation(request, number)
                known = self._known(request)
                return self.encoder.encode(content, variation, known), skipped
            except RecordError as error:
                at_fault = _at_fault(kept, error)
                skipped += [self._hole(error, source, len(at_fault)) for source in at_fault]
                kept = [record for record in kept if record.source not in at_fault]
        return None, skipped

    def variation(self, request: Request, number: int) -> Variation | None:
        """How a sample's pictures are changed; None outside of training."""
        options = self.encoder.options.augmentation
        if request.epoch is None or not options.ops:
            return None
        seed = self.splits[request.split].grouping.seed
        return Variation(options, seed, request.epoch, number)

    def _known(self, request: Request) -> KeptImages | None:
        """The images that need no pixels; None where keys are of no use."""
        if not self.keys:
            return None
        return {} if request.pixels else self._kept

    def describe(self, request: Request) -> str:
        """Return how many records a request is for and where they lie, for messages."""
        split = self.splits[request.split]
        members = [split.grouping.members(it, request.epoch) for it in request.samples]
        sources = [split.records.dataset.source(it) for group in members for it in group]
        return f"{len(sources)} {request.split} records: {named(sources, 8)}"

    def _hole(self, error: RecordError, source: Source, together: int = 1) -> Skipped:
        options = self.encoder.options
        over_long = isinstance(error, OverLong)
        key, policy = (
            ("over_long", options.over_long) if over_long else ("bad_records", options.bad_records)
        )
        if policy == "refuse":
            raise DataRefused(f"{error} (or set data.{key}=skip)") from error
        return Skipped(source, f"{together} records together: " * (together > 1) + error.reason)


def _content(records: list[Record], summarised: bool) -> Record | DenseGroup:
    dense = [record for record in records if isinstance(record, DenseRecord)]
    return DenseGroup(tuple(dense), summarised) if dense else records[0]


def _at_fault(records: list[Record], error: RecordError) -> list[Source]:
    """The records to leave out: the one that the error is about, all when they are too long."""
    sources = [record.source for record in records]
    one = not isinstance(error, OverLong) and error.source in sources
    return [error.source] if one else sources
