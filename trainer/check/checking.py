"""Check all records of a run's data, in processes, with what was found kept between runs."""

from collections.abc import Callable
from dataclasses import dataclass

from trainer.check.epoch import Enlarged, Groups, enlarged, groups_of
from trainer.check.look import CheckLook
from trainer.check.summary import looks_of_earlier_check, store_summary
from trainer.check.tally import Tally, note_duplicates
from trainer.config.schema import RunConfig
from trainer.config.variants import variant_of_name
from trainer.data.check import check_data
from trainer.data.errors import DataError
from trainer.data.estimating import Estimating
from trainer.data.index import Dataset
from trainer.data.lengths import keeper_of, processors, whole_files
from trainer.data.measuring import Measuring
from trainer.data.pictures import picture_rule
from trainer.data.places import Speech
from trainer.data.reading import Records
from trainer.data.shards import ShardWork, shards_of, work_through
from trainer.data.worker import Worker
from trainer.forecast.checkpoint import checkpoint_folder
from trainer.forecast.records import Look, open_dataset

KINDS = ("check",)
FEW_RECORDS = 500  # are looked at sooner than processes start

Progress = Callable[[int, int], None]  # records done, records in all


@dataclass(frozen=True)
class Manner:
    """How to check."""

    decode: bool = False  # every picture whole, to be certain
    keep_every: bool = False  # remark, not only counts and examples
    workers: int | None = None  # processes; None: one a processor


@dataclass(frozen=True)
class Checked:
    """What was found, split by split."""

    tallies: dict[str, Tally]
    groups: Groups | None  # of the records that are trained
    enlarged: Enlarged | None
    estimated: bool  # text tokens are about right: no checkpoint was at hand

    @property
    def errors(self) -> int:
        """Records that a run would skip or refuse."""
        return sum(tally.count("error") for tally in self.tallies.values())


@dataclass(frozen=True)
class _Load:
    """Loads the preprocessing, and with it torch, in a process that ends with it."""

    decode: bool

    def __call__(self, config: RunConfig, /) -> Measuring:
        from trainer.data.preprocessing import Preprocessing

        return Preprocessing.load(config.model, config.data).measuring(decode=self.decode)

    def describe(self, config: RunConfig, /) -> str:
        return f"the tokenizer of {config.model.path}"


def check_records(config: RunConfig, manner: Manner, progress: Progress | None = None) -> Checked:
    """Return what all records take and what is wrong with them.

    What was found is kept shard by shard: interrupted and called again, it goes on from there.

    Raises:
        DataError: A file cannot be read, or the checkpoint's tokenizer cannot.
        WorkerFailed: A process died, or took too long.

    """
    check_data(config.data)
    measuring = measuring_of(config, decode=manner.decode)
    splits = all_records(config)
    total = sum(map(len, splits.values()))
    tallies: dict[str, Tally] = {}
    done = 0
    for name, records in splits.items():
        tally = tallies[name] = Tally.of(records, keep_every=manner.keep_every)
        keeper = keeper_of(records, measuring.identity, KINDS)
        work = ShardWork(whole_files(records), keeper, CheckLook(measuring))
        shards = shards_of(records)
        for found in work_through(work, shards, _workers(manner, len(records))):
            tally.take(found)
            done += min(found.shard.stop, len(records)) - found.shard.first
            if progress:
                progress(done, total)
        tally.note_answers_that_are_no_json()
    note_duplicates(tallies)
    train = tallies.get("train")
    groups = groups_of(config, train, measuring) if train else None
    store_summary(config, tallies)
    return Checked(
        tallies,
        groups,
        enlarged(config, train, measuring.rule) if train else None,
        estimated=isinstance(measuring, Estimating),
    )


def _workers(manner: Manner, records: int) -> int:
    if manner.workers is not None:
        return manner.workers
    return 0 if records < FEW_RECORDS else processors()


def records_of(config: RunConfig, split: str) -> Records:
    """Return the records of a split; raises DataError."""
    limit = getattr(config.data, f"{split}_samples")
    dataset = open_dataset(getattr(config.data, split), config.data, limit)
    if not dataset.files:
        return Records(Dataset(()), config.data, ())
    return Records.of(dataset, config.data)


def kept_looks(config: RunConfig) -> dict[str, Look] | None:
    """Return what an earlier check of the same data found, None where there is none."""
    try:
        check_data(config.data)
        return looks_of_earlier_check(config, all_records(config))
    except DataError:
        return None  # who looks at the data will say what is wrong with it


def all_records(config: RunConfig) -> dict[str, Records]:
    """Return the records of the splits that have any; raises DataError."""
    splits = {name: records_of(config, name) for name in ("train", "validation")}
    return {name: records for name, records in splits.items() if len(records)}


def measuring_of(config: RunConfig, *, decode: bool) -> Measuring | Estimating:
    """Return what measures records: exactly, where the checkpoint is here; raises DataError."""
    folder = checkpoint_folder(config.model)
    if folder is not None and (folder / "config.json").is_file():
        hand = Worker[RunConfig, Measuring](0, _Load(decode), config.data.worker_timeout_seconds)
        try:
            return hand.build(config)
        finally:
            hand.kill()
            hand.close()
    return Estimating(
        options=config.data,
        rule=picture_rule(folder, config.data),
        speech=Speech.of("", config.data),
        variant=variant_of_name(config.model.path),
        decode=decode,
    )
