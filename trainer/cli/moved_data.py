"""Prove that data files under other paths are the ones a run trained on."""

from pathlib import Path

from trainer.config.schema import DataConfig, RunConfig
from trainer.data.index import index_file
from trainer.run.data_record import Split, read_data_record
from trainer.run.layout import RunLayout

SPLITS: tuple[Split, ...] = ("train", "validation")


def moved_data(layout: RunLayout, before: RunConfig, after: RunConfig) -> frozenset[str]:
    """Return the keys, such as `data.train`, whose files moved and hold what they held.

    Raises:
        DataError: One of the files is no data.
        ValueError: What the run trained on is not recorded any more.

    """
    moved = [it for it in SPLITS if getattr(before.data, it) != getattr(after.data, it)]
    known = (read_data_record(layout) if moved else None) or {}
    return frozenset(
        f"data.{split}"
        for split in moved
        if split in known and _hashes(after.data, split) == [it["sha256"] for it in known[split]]
    )


def _hashes(data: DataConfig, split: Split) -> list[str]:
    """Return the content hash of every file; the index that comes with it is kept for later."""
    return [
        index_file(
            Path(path), cache_dir=data.cache_dir, max_array_bytes=data.max_array_bytes
        ).sha256
        for path in getattr(data, split)
    ]
