"""Builders of batches over one file, as training has them."""

from pathlib import Path

from trainer.data.build import BatchBuilder, Split
from trainer.data.grouping import Grouping
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records


def builder(preprocessing: Preprocessing, path: Path, seed: int = 0) -> BatchBuilder:
    dataset = Dataset((index_file(path, cache_dir=path.parent / "cache"),))
    records = Records.of(dataset, preprocessing.options)
    split = Split(records, Grouping.of(records, seed))
    return BatchBuilder(preprocessing.encoder, {"train": split, "validation": split})
