"""Look at the records of a data set: how many, how large, and what is wrong with them."""

# N records

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trainer.config.schema import DataConfig
from trainer.data.errors import RecordError
from trainer.data.estimating import Estimating
from trainer.data.index import Dataset, index_file
from trainer.data.measuring import Measured
from trainer.data.pictures import PictureRule
from trainer.data.places import Speech
from trainer.data.reading import Records
from trainer.data.records import Record, images_of
from trainer.forecast.memory import Load
from trainer.model.cost import Extent

RECORDS_LOOKED_AT = 500
SECONDS = 10.0  # pictures on a slow disk end the look earlier
PROBLEMS_TOLD = 50
ADDRESSES = ("http://", "https://")
AMOUNTS = ("tokens", "target_tokens", "visual_tokens", "patches", "images")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A record that cannot be used."""

    file: str
    line: int
    reason: str


@dataclass(kw_only=True)
class Look:
    """What some records of a data set are like."""

    records: int  # that there are
    looked_at: int = 0
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0  # that are only counted
    visual_tokens: list[int] = field(default_factory=list)  # of each record with images
    images: int = 0
    remote_images: int = 0  # not looked at: they lie elsewhere
    largest: Load = field(  # each number the largest of any record
        default_factory=lambda: Load(tokens=0, target_tokens=0, patches=0)
    )
    whole: Extent = field(default_factory=Extent)  # of all that were looked at, together

    def visual_token_range(self) -> tuple[int, int, int] | None:
        """Return the least, the median and the most visual tokens of a record with images."""
        if not self.visual_tokens:
            return None
        median = int(np.median(self.visual_tokens))
        return min(self.visual_tokens), median, max(self.visual_tokens)


def open_dataset(paths: Sequence[str], data: DataConfig, limit: int | None) -> Dataset:
    """Return the records of data files; raises DataError."""
    files = [
        index_file(path, cache_dir=data.cache_dir, max_array_bytes=data.max_array_bytes)
        for path in paths
    ]
    return Dataset(tuple(files), limit)


def look_at_records(dataset: Dataset, data: DataConfig, rule: PictureRule) -> Look:
    """Return what records spread over the data set are like; images by their headers alone.

    Raises:
        DataChanged: A file is being written to.

    """
    look = Look(records=len(dataset))
    deadline = time.monotonic() + SECONDS
    records = Records.of(dataset, data)
    local = data.model_copy(update={"allow_remote": False})
    estimating = Estimating(local, rule, Speech.of("", data), variant="")
    amounts: list[tuple[int, ...]] = []
    for number in _spread(len(dataset)):
        source = dataset.source(number)
        try:
            measured = _measured(records[number], data, estimating, look)
            amounts.append(_amounts(measured, data.max_length))
        except RecordError as error:
            look.problems.append(Problem(file=source.file, line=source.line, reason=error.reason))
        look.looked_at += 1
        if time.monotonic() > deadline:
            break
    look.problems.sort(key=lambda problem: (problem.file, problem.line))
    table = np.array(amounts, dtype=np.int64).reshape(-1, len(AMOUNTS))
    describe(look, dict(zip(AMOUNTS, table.T, strict=True)))
    return look


def _spread(records: int) -> Iterator[int]:
    """Yield record numbers from all over the files, in an order that can be cut short anywhere."""
    chosen = np.unique(np.linspace(0, records - 1, min(records, RECORDS_LOOKED_AT), dtype=int))
    yield from np.random.default_rng(0).permutation(chosen).tolist()


def _measured(record: Record, data: DataConfig, estimating: Estimating, look: Look) -> Measured:
    """Return about what a record takes, without the images that lie elsewhere."""
    references = images_of(record)
    here = [it for it in references if not it[:8].lower().startswith(ADDRESSES)]
    if data.allow_remote:
        look.remote_images += len(references) - len(here)
        references = here
    return estimating.measure_with(record, references)


def _amounts(measured: Measured, max_length: int) -> tuple[int, ...]:
    """Return the AMOUNTS of a record; what is estimated above the limit may well be under it."""
    tokens = min(measured.tokens, max_length)
    target_tokens = min(measured.target_tokens, tokens)
    return (
        *(tokens, target_tokens, measured.visual_tokens, measured.patches, len(measured.images)),
    )


def describe(look: Look, amounts: Mapping[str, np.ndarray]) -> None:
    """Write down what records take, by their AMOUNTS, (N,) each; zeros for those without use."""
    visual = amounts["visual_tokens"]
    look.visual_tokens = visual[visual > 0].tolist()
    look.images += int(amounts["images"].sum())
    look.largest = Load(
        **{
            name: int(amounts[name].max(initial=0))
            for name in ("tokens", "target_tokens", "patches")
        }
    )
    look.whole = _extent(amounts)


def _extent(amounts: Mapping[str, np.ndarray]) -> Extent:
    """Return what records make a model compute; the pictures of one count as equally large."""
    wide = {name: amounts[name].astype(np.float64) for name in AMOUNTS}
    pairs = {
        "token_pairs": (wide["tokens"] ** 2 / 2).sum(),
        "patch_pairs": (wide["patches"] ** 2 / np.maximum(wide["images"], 1)).sum(),
    }
    sums = {name: wide[name].sum() for name in AMOUNTS if name != "images"}
    return Extent(**{name: round(value) for name, value in (pairs | sums).items()})
