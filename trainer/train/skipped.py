"""Remember which records were skipped: one event each, and data.json."""

from collections.abc import Iterable

import orjson

from trainer.data.samples import Skipped
from trainer.data.variation import OBJECT_DROPPED
from trainer.run import durable
from trainer.run.data_record import Split
from trainer.run.events import Notice, RecordSkipped
from trainer.run.layout import RunLayout
from trainer.train.setup import Setup

LISTED = 10_000  # data.json names this many skipped records and counts the others


def record_skipped(setup: Setup, split: Split, skipped: Iterable[Skipped], step: int) -> None:
    """Write an event for every skipped record that was not reported before."""
    for record in skipped:
        source = record.source
        key = (str(source.file), source.line)
        if key not in setup.skipped:
            event = RecordSkipped(
                split=split,
                file=key[0],
                line=source.line,
                offset=source.offset,
                reason=record.reason,
                step=step,
            )
            setup.skipped[key] = event
            setup.recorder.write(event)


def report_edits(setup: Setup, notes: Iterable[str], step: int) -> None:
    """Say once for every kind of edit that text was changed before it was trained.

    Objects that augmentation left out are counted in the step instead.
    """
    for note in set(notes) - setup.edits - {OBJECT_DROPPED}:
        setup.edits.add(note)
        setup.recorder.write(Notice(topic="edit", message=note, step=step))


def write_data_record(setup: Setup) -> None:
    """Replace data.json by what is known of the data now."""
    datasets = {"train": setup.train_data, "validation": setup.validation_data}
    listed = list(setup.skipped.values())[:LISTED]
    fields = ("split", "file", "line", "offset", "reason")
    content = {
        "files": {
            split: [
                {"file": str(file.path), "records": file.records, "sha256": file.sha256}
                for file in dataset.files
            ]
            for split, dataset in datasets.items()
        },
        "skipped": len(setup.skipped),
        "skipped_records": [{name: getattr(event, name) for name in fields} for event in listed],
    }
    durable.replace_file(setup.run.layout.data, orjson.dumps(content, option=orjson.OPT_INDENT_2))


def read_skipped(layout: RunLayout) -> dict[tuple[str, int], RecordSkipped]:
    """Return the skipped records that earlier attempts reported."""
    if not layout.data.exists():
        return {}
    records = orjson.loads(layout.data.read_bytes())["skipped_records"]
    return {(record["file"], record["line"]): RecordSkipped(**record) for record in records}
