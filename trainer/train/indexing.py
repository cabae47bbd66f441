"""Index the data of a run and make sure that it is still the same."""

from pathlib import Path

from trainer.config.schema import RunConfig
from trainer.data.errors import DataChanged
from trainer.data.index import Dataset, FileIndex, index_file
from trainer.run.data_record import Split, read_data_record
from trainer.run.events import DataIndexed
from trainer.run.layout import RunLayout
from trainer.train.phases import phase
from trainer.train.recorder import Recorder


def index_data(config: RunConfig, split: Split, recorder: Recorder) -> Dataset:
    """Index the files of one split, with a phase and an event for each."""
    paths: tuple[str, ...] = getattr(config.data, split)
    files = tuple(_index_one(config, split, Path(path), recorder) for path in paths)
    return Dataset(files, getattr(config.data, f"{split}_samples"))


def _index_one(config: RunConfig, split: Split, path: Path, recorder: Recorder) -> FileIndex:
    size = path.stat().st_size
    with phase(recorder, "index", total=size, unit="bytes", detail=path.name) as report:
        index = index_file(
            path,
            cache_dir=config.data.cache_dir,
            max_array_bytes=config.data.max_array_bytes,
            progress=report,
        )
    recorder.write(
        DataIndexed(
            split=split,
            file=str(path),
            records=index.records,
            bytes=size,
            sha256=index.sha256,
            cached=index.cached,
        )
    )
    return index


def refuse_changed_data(layout: RunLayout, datasets: dict[Split, Dataset]) -> None:
    """Check that the data is what earlier attempts trained on; where it lies does not matter.

    Raises:
        DataChanged: Naming every file that is new, gone or different.

    """
    earlier = read_data_record(layout)
    if earlier is None:
        return
    changes: list[str] = []
    for split, dataset in datasets.items():
        if [record["sha256"] for record in earlier[split]] == [it.sha256 for it in dataset.files]:
            continue
        before = {record["file"]: record["sha256"] for record in earlier[split]}
        now = {str(file.path): file.sha256 for file in dataset.files}
        changes += [f"{name}: content changed" for name in before if now.get(name) != before[name]]
        changes += [f"{name}: was not there before" for name in now if name not in before]
    if changes:
        msg = (
            f"the data of run {layout.name} changed: {'; '.join(changes)}; "
            "restore the files or start a new run"
        )
        raise DataChanged(msg)
