"""What the samples of the first epoch take: groups of records, and pictures that are enlarged."""

# N records, G groups, I images

from dataclasses import dataclass

import numpy as np

from trainer.check.findings import Remark
from trainer.check.tally import Tally
from trainer.config.dense import DenseConfig
from trainer.config.schema import RunConfig
from trainer.data.augment.reach import is_known, largest_sizes
from trainer.data.dense.group import DenseGroup
from trainer.data.errors import OverLong, RecordError, Source
from trainer.data.estimating import TOKENS_PER_TURN, Estimating
from trainer.data.grouping import Grouping
from trainer.data.measuring import Measuring
from trainer.data.pictures import PictureRule
from trainer.data.records import ChatRecord, DenseRecord

FIRST = 0
NEAR = 0.98  # of the longest sample; what is added up may be some tokens off
MEASURED_GROUPS = 1_000  # at most; the others go by what is added up


@dataclass(frozen=True)
class Groups:
    """The groups of the first epoch."""

    size: int  # records in each but the last
    tokens: np.ndarray  # int64 (G,), zero where no record of a group can be used
    summaries: int  # groups that are asked for summaries
    over_long: int  # groups that are skipped as a whole


@dataclass(frozen=True)
class Enlarged:
    """What records take at most when augmentation makes their pictures as large as it can."""

    tokens: np.ndarray  # int64 (N,), zero for records that cannot be used
    patches: np.ndarray  # int64 (N,)
    over_long: int  # records that fit as they are, and may not
    certain: bool  # False: functions of one's own may do more


def groups_of(config: RunConfig, tally: Tally, measuring: Measuring | Estimating) -> Groups | None:
    """Return what the groups take, and note those that are too long; None where there are none.

    Lengths are added up from those of the records; a sum near the limit or above is measured.
    """
    grouping = Grouping.of(tally.records, config.seed)
    if grouping.group_size == 1 or not grouping.dense:
        return None
    alone = grouping.records - sum(map(len, grouping.dense))
    samples = range(alone, len(grouping))
    members = [list(grouping.members(it, FIRST)) for it in samples]
    summarised = [grouping.summarised(it, FIRST) for it in samples]
    frame = _frame_tokens(config.data.dense, measuring)
    tokens = np.array([_sum(tally.columns["tokens"][it], frame) for it in members], dtype=np.int64)
    near = np.flatnonzero(tokens > NEAR * config.data.max_length)
    over_long = 0
    for place, number in enumerate(near.tolist()):
        told = _Length(int(tokens[number]), config.data.max_length)
        if isinstance(measuring, Measuring) and place < MEASURED_GROUPS:
            told = _measured(tally, members[number], measuring, summarised=summarised[number])
            tokens[number] = told.tokens
        if told.is_too_long:
            over_long += 1
            _note(tally, members[number], told)
    return Groups(grouping.group_size, tokens, sum(summarised), over_long)


@dataclass(frozen=True)
class _Length:
    """How long a group is."""

    tokens: int
    limit: int
    reason: str = ""

    @property
    def is_too_long(self) -> bool:
        return bool(self.reason) or self.tokens > self.limit


def _sum(tokens: np.ndarray, frame: int) -> int:
    """Tokens of a question about several records: what is around them is there once."""
    usable = int((tokens > 0).sum())
    return int(tokens.sum()) - frame * (usable - 1) if usable else 0


def _frame_tokens(dense: DenseConfig, measuring: Measuring | Estimating) -> int:
    """Tokens of a dense question besides its pictures and what is said of them."""
    if isinstance(measuring, Estimating):
        return 2 * TOKENS_PER_TURN
    system = [{"role": "system", "content": dense.system}] if dense.system else []
    empty = ChatRecord(
        source=Source("", 0, 0),
        messages=(*system, {"role": "user", "content": dense.prompt}),
        images=(),
        response="{}",
        thinking=None,
        tools=None,
    )
    return measuring.measure(empty).tokens


def _measured(
    tally: Tally, members: list[int], measuring: Measuring, *, summarised: bool
) -> _Length:
    """Measure a group as training would, without the records that cannot be used."""
    limit = measuring.room.max_length
    usable = [it for it in members if tally.columns["tokens"][it]]
    records = [tally.records[it] for it in usable]
    dense = tuple(it for it in records if isinstance(it, DenseRecord))
    try:
        measured = measuring.measure(DenseGroup(dense, summarised))
    except OverLong as error:
        sum_of_all = int(tally.columns["tokens"][usable].sum())
        return _Length(min(sum_of_all, 2**31 - 1), limit, error.what)
    except RecordError:  # a summary is missing, say: the record has its own remark
        return _Length(0, limit)
    return _Length(measured.tokens, limit)


def _note(tally: Tally, members: list[int], told: _Length) -> None:
    what = told.reason or f"{told.tokens} tokens, data.max_length is {told.limit}"
    usable = [it for it in members if tally.columns["tokens"][it]]
    remark = Remark(
        "error",
        "a group that is too long",
        f"asked about together with {len(usable) - 1} others in the first epoch: {what}",
        "lower data.dense.images_per_user_turn or data.max_pixels, or raise data.max_length",
    )
    for record in usable:
        tally.note(record, remark)


def enlarged(config: RunConfig, tally: Tally, rule: PictureRule) -> Enlarged | None:
    """Return what pictures that augmentation enlarges take at most; None without augmentation."""
    options = config.data.augmentation
    if not options.ops:
        return None
    sizes = largest_sizes(tally.image_sizes, options)
    unique, which = np.unique(np.ceil(sizes).astype(np.int64), axis=0, return_inverse=True)
    each = np.array([rule.patches(*it) for it in unique.tolist()], dtype=np.int64)
    records = np.repeat(np.arange(len(tally.records)), tally.columns["images"])
    patches = np.bincount(
        records, each[which.reshape(-1)] if len(each) else None, len(tally.records)
    ).astype(np.int64)
    patches = np.maximum(patches, tally.columns["patches"])
    more = (patches - tally.columns["patches"]) // rule.merge**2
    tokens = np.where(tally.columns["tokens"] > 0, tally.columns["tokens"] + more, 0)
    limit = config.data.max_length
    over_long = int(((tokens > limit) & (tally.columns["tokens"] <= limit)).sum())
    return Enlarged(tokens, patches, over_long, is_known(options))
