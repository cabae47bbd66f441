"""Measure the ways into training alone: index, reader, loader."""

import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from trainer.bench.files import BenchFiles
from trainer.bench.local import local_config
from trainer.bench.turns import Turns
from trainer.config.schema import RunConfig
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.worker import Request
from trainer.train.prepare import build_pool, build_splits

MEASURED_SECONDS = 2.0  # at least, each


def measure_input(files: BenchFiles, turns: Turns) -> None:
    """Report the rates of index, reader and loader, each alone on the machine.

    The index is made anew, with SHA-256 of everything. The reader parses records. The loader makes
    batches in its workers, from decoding to patches, and gives them to nobody.
    """
    config = local_config(files)
    dataset, index = _index(config)
    turns.report(index=index, reader=_reader(config, dataset), loader=_loader(config, dataset))


def _index(config: RunConfig) -> tuple[Dataset, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as empty:
        started = time.perf_counter()
        indexed = tuple(index_file(path, cache_dir=empty) for path in config.data.train)
        seconds = time.perf_counter() - started
    records = sum(file.records for file in indexed)
    read = sum(Path(file.path).stat().st_size for file in indexed)
    rates = {"bytes_per_second": read / seconds, "records_per_second": records / seconds}
    return Dataset(indexed, config.data.train_samples), rates


def _reader(config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    records = Records.of(dataset, config.data)
    count, seconds = _counted(records[number] for number in cycle(range(len(records))))
    return {"records_per_second": count / seconds}


def _loader(config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    preprocessing = Preprocessing.load(config.model, config.data)
    splits = build_splits(config, dataset, dataset)
    numbers = cycle(range(len(splits["train"].grouping)))
    requests = (Request("train", chosen, 0) for chosen in _taken(numbers, config.batch.size))
    with build_pool(config, preprocessing, splits, None) as pool:
        batches = pool.batches(requests)
        next(batches)  # the workers are started for it
        count, seconds = _counted(batches)
    rate = count * config.batch.size / seconds
    return {"samples_per_second": rate, "workers": config.data.workers}


def _taken(numbers: Iterator[int], size: int) -> Iterator[tuple[int, ...]]:
    while True:
        yield tuple(islice(numbers, size))


def _counted(made: Iterator[object]) -> tuple[int, float]:
    """Return how many things were made in MEASURED_SECONDS, and the exact seconds."""
    count, seconds, started = 0, 0.0, time.perf_counter()
    while seconds < MEASURED_SECONDS:
        next(made)
        count += 1
        seconds = time.perf_counter() - started
    return count, seconds
