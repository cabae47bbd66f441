"""Open the data of a configuration the way training does, to look at single records."""

from dataclasses import dataclass, replace
from functools import cached_property

from trainer.config.schema import DataConfig, RunConfig
from trainer.data.build import BatchBuilder, Split
from trainer.data.encoding import Encoder
from trainer.data.grouping import Grouping, plan_of
from trainer.data.index import Dataset, index_file
from trainer.data.layout import Layout
from trainer.data.order import Plan
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records

SPLITS = ("train", "validation")
LONGEST_SHOWN = 65_536  # tokens of a sample that is too long


@dataclass(frozen=True, eq=False)
class Opened:
    """The records of both splits, and what makes samples of them."""

    title: str
    config: RunConfig
    builder: BatchBuilder  # the very one of the training

    @property
    def encoder(self) -> Encoder:
        """How the checkpoint reads records."""
        return self.builder.encoder

    def split(self, name: str) -> Split:
        """Return the records of a split."""
        return self.builder.splits[name]

    @cached_property
    def plan(self) -> Plan | None:
        """Which training sample makes which step; None without any."""
        grouping = self.split("train").grouping
        return plan_of(self.config, grouping) if len(grouping) else None

    @cached_property
    def layout(self) -> Layout | None:
        """How a step's samples are laid into micro-batches; None: as they are dealt."""
        return Layout.of(self.config, self.encoder)

    @cached_property
    def lenient(self) -> BatchBuilder:
        """The builder that leaves out what the configuration may tell it to refuse."""
        return self._builder(over_long="skip", bad_records="skip")

    @cached_property
    def roomy(self) -> BatchBuilder:
        """The lenient builder, which also builds samples that are too long."""
        longest = max(self.encoder.options.max_length, LONGEST_SHOWN)
        return self._builder(over_long="skip", bad_records="skip", max_length=longest)

    def _builder(self, **changes: object) -> BatchBuilder:
        options: DataConfig = self.encoder.options.model_copy(update=changes)
        return replace(self.builder, encoder=replace(self.encoder, options=options))


def open_data(config: RunConfig, title: str) -> Opened:
    """Return the data of a configuration.

    Raises:
        DataError: A data file or the checkpoint cannot be read.

    """
    splits: dict[str, Split] = {}
    for name in SPLITS:
        records = Records.of(_dataset(config, name), config.data)
        splits[name] = Split(records, Grouping.of(records, config.seed))
    preprocessing = Preprocessing.load(config.model, config.data)
    return Opened(title, config, BatchBuilder(preprocessing.encoder, splits))


def _dataset(config: RunConfig, split: str) -> Dataset:
    data = config.data
    paths: tuple[str, ...] = getattr(data, split)
    files = (
        index_file(path, cache_dir=data.cache_dir, max_array_bytes=data.max_array_bytes)
        for path in paths
    )
    return Dataset(tuple(files), getattr(data, f"{split}_samples"))
