"""Add up what was found in the records of a split."""

# N records

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from trainer.check.findings import Remark, Severity, warning
from trainer.check.look import ALL_COLUMNS, JSON_ANSWER, OTHER_ANSWER, unpacked
from trainer.data.lengths import fill
from trainer.data.reading import Records
from trainer.data.shards import Found

EXAMPLES = 3  # of each kind of remark
MOSTLY = 0.5  # share of JSON answers from which the others are odd
FIRST_ERRORS = 50
PICTURES_OF_A_SHARD = 8  # by which a later look tells whether they changed
FEW_ANSWERS = 10  # say nothing about what most are


@dataclass(frozen=True)
class Located:
    """A remark and the place of its record."""

    file: str
    line: int
    remark: Remark


@dataclass
class Kind:
    """All remarks of one kind."""

    severity: Severity
    kind: str
    count: int = 0
    examples: list[Located] = field(default_factory=list)


@dataclass
class Tally:
    """What the records of a split take and what is wrong with them."""

    records: Records
    columns: dict[str, np.ndarray]  # int32 (N,) each, zeros for records that cannot be used
    content: np.ndarray  # uint64 (N,)
    answers: np.ndarray  # uint8 (N,)
    sizes: list[np.ndarray] = field(default_factory=list)  # of images, int32 (I, 2), by shard
    fresh: int = 0  # records that were looked at just now
    kinds: dict[tuple[Severity, str], Kind] = field(default_factory=dict)
    every: list[Located] | None = None  # each remark, where all are wanted
    errors: list[Located] = field(default_factory=list)  # the first ones
    picture_files: list[str] = field(default_factory=list)  # some of them, absolute

    @classmethod
    def of(cls, records: Records, *, keep_every: bool) -> "Tally":
        """Return an empty tally."""
        count = len(records)
        return cls(
            records,
            {name: np.zeros(count, dtype=np.int32) for name in ALL_COLUMNS},
            np.zeros(count, dtype=np.uint64),
            np.zeros(count, dtype=np.uint8),
            every=[] if keep_every else None,
        )

    def take(self, found: Found) -> None:
        """Add a shard."""
        fill(self.columns, found, ALL_COLUMNS)
        fill({"content": self.content, "answers": self.answers}, found, ("content", "answers"))
        for row, remark in unpacked(found.arrays):
            if found.shard.first + row < len(self.records):
                self.note(found.shard.first + row, remark)
        self.sizes.append(found.arrays["image_sizes"])
        folder = Path(self.records.dataset.files[found.shard.file].path).parent
        named = orjson.loads(found.arrays["picture_files"].tobytes())
        step = max(1, len(named) // PICTURES_OF_A_SHARD)
        self.picture_files += (str(folder / name.removeprefix("file://")) for name in named[::step])
        if found.fresh:
            self.fresh += min(found.shard.stop, len(self.records)) - found.shard.first

    @property
    def image_sizes(self) -> np.ndarray:
        """Width and height of every image, int32 (I, 2), in the order of the records."""
        sizes = np.concatenate([np.zeros((0, 2), dtype=np.int32), *self.sizes])
        return sizes[: int(self.columns["images"].sum())]

    def note(self, record: int, remark: Remark) -> None:
        """Add a remark about a record."""
        kind = self.kinds.setdefault(
            (remark.severity, remark.kind), Kind(remark.severity, remark.kind)
        )
        kind.count += 1
        wanted: list[list[Located]] = []
        if len(kind.examples) < EXAMPLES:
            wanted.append(kind.examples)
        if remark.severity == "error" and len(self.errors) < FIRST_ERRORS:
            wanted.append(self.errors)
        if self.every is not None:
            wanted.append(self.every)
        if wanted:
            source = self.records.dataset.source(record)
            for list_ in wanted:
                list_.append(Located(source.file, source.line, remark))

    def note_answers_that_are_no_json(self) -> None:
        """Add a remark about every answer that is no JSON, if most are."""
        json, other = (int((self.answers == it).sum()) for it in (JSON_ANSWER, OTHER_ANSWER))
        if json + other < FEW_ANSWERS or json <= MOSTLY * (json + other):
            return
        share = json / (json + other)
        what = f"the answer is no valid JSON, and {share:.1%} of the answers here are"
        for record in np.flatnonzero(self.answers == OTHER_ANSWER).tolist():
            self.note(record, warning("answer is no JSON, most are", what, "mend the answer"))

    def count(self, severity: Severity) -> int:
        """Return how many remarks of a severity there are."""
        return sum(kind.count for kind in self.kinds.values() if kind.severity == severity)

    @property
    def usable(self) -> int:
        """Records that a run would train on."""
        return int((self.columns["tokens"] > 0).sum())

    def sorted_kinds(self) -> list[Kind]:
        """Return the kinds of remarks, errors first, the most frequent first."""
        return sorted(self.kinds.values(), key=lambda it: (it.severity, -it.count, it.kind))


def note_duplicates(tallies: dict[str, Tally]) -> None:
    """Add a remark about every record that repeats an earlier one, in its split or another."""
    content = np.concatenate([tally.content for tally in tallies.values()])
    starts = np.cumsum([0, *(len(tally.content) for tally in tallies.values())])
    _, first, group = np.unique(content, return_index=True, return_inverse=True)
    repeated = np.flatnonzero((first[group] != np.arange(len(content))) & (content != 0))
    names = tuple(tallies)

    def place(row: int) -> tuple[str, int]:
        split = int(np.searchsorted(starts, row, side="right")) - 1
        return names[split], row - int(starts[split])

    for row in repeated.tolist():
        (name, record), (first_name, earlier) = place(row), place(int(first[group[row]]))
        source = tallies[first_name].records.dataset.source(earlier)
        tallies[name].note(record, _duplicate(str(source), first_name, name))


def _duplicate(earlier: str, first_name: str, name: str) -> Remark:
    what = f"the same text and pictures as {earlier}"
    if first_name == name:
        return warning(f"repeated in {name}", what, "remove one, or keep it to weigh it more")
    kind = f"in {first_name} as well as in {name}"
    return warning(kind, what, f"remove one; the {name} loss would flatter the model")
