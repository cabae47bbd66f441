"""Find out which configuration and which records a person means."""

import re
from pathlib import Path
from typing import NamedTuple

import orjson

from trainer.cli.data.options import BAD_DATA
from trainer.cli.terminal import CommandFailed
from trainer.config.layers import SUFFIXES, preset_names
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.data.index import Dataset
from trainer.run.layout import runs_directory

NUMBERS = re.compile(r"(\d{1,12})(?:-(\d{1,12}))?")
WITH_LINE = re.compile(r"(.+):(\d{1,12})")
BASE = "balanced"  # its defaults hold for a data file alone


class Target(NamedTuple):
    """What a person named."""

    name: str  # a data file, a configuration, a run
    line: int | None  # of the file
    numbers: str | None  # N or N-M
    overrides: tuple[str, ...]


def read_target(name: str, what: list[str], model: str | None) -> Target:
    """Take arguments apart: `FILE:LINE`, N, N-M, KEY=VALUE.

    Raises:
        CommandFailed: One is none of these.

    """
    named = WITH_LINE.fullmatch(name)
    line = None
    if named and not Path(name).exists() and Path(named[1]).is_file():
        name, line = named[1], int(named[2])
    numbers = [text for text in what if NUMBERS.fullmatch(text)]
    overrides = [text for text in what if "=" in text]
    odd = [text for text in what if text not in numbers and text not in overrides]
    if odd or len(numbers) > 1:
        shown = odd[0] if odd else numbers[1]
        said = f"{shown} is neither one record N, a range N-M, nor an option KEY=VALUE"
        raise CommandFailed(f"{said}; see qvl data show --help", BAD_DATA)
    own = [f"model.path={model}"] if model else []
    return Target(name, line, numbers[0] if numbers else None, (*own, *overrides))


def configuration(target: Target, runs_dir: Path | None) -> RunConfig:
    """Return the configuration of a run, of a file of options, or one around a data file.

    Raises:
        ConfigError, ModelMissing: The configuration does not hold.
        CommandFailed: Nothing of that name is there, or no checkpoint is named.

    """
    path, overrides = Path(target.name), target.overrides
    for folder in (runs_directory(runs_dir) / target.name, path):
        if (folder / "config.yaml").is_file():
            return load_config(folder / "config.yaml", overrides)
    if path.suffix in SUFFIXES or target.name in preset_names():
        return load_config(target.name, overrides)
    if not path.is_file():
        what = f"{target.name}: no such data file, configuration or run"
        raise CommandFailed(f"{what}; correct the path, or give --runs-dir", BAD_DATA)
    if not any(it.startswith("model.path=") for it in overrides):
        what = f"{target.name}: a record is shown as a checkpoint reads it, and none is named"
        raise CommandFailed(f"{what}; add --model FOLDER, or show a CONFIG", BAD_DATA)
    files = orjson.dumps([str(path.absolute())]).decode()
    return load_config(BASE, [f"data.train={files}", *overrides])


def chosen_records(target: Target, dataset: Dataset) -> range:
    """Return the numbers, from 0, of the records that are meant; the first where none is named.

    Raises:
        CommandFailed: There are none such.

    """
    if target.line is not None and target.numbers is None:
        return _on_line(target.line, dataset)
    first, last = _bounds(target.numbers or "1")
    if not 1 <= first <= last <= len(dataset):
        shown = f"record {target.numbers}" if target.numbers else "the first record"
        there = f"there are {len(dataset)} records, counted from 1"
        raise CommandFailed(f"{shown}: {there}", BAD_DATA)
    return range(first - 1, last)


def _bounds(numbers: str) -> tuple[int, int]:
    named = NUMBERS.fullmatch(numbers)
    assert named is not None, numbers
    return int(named[1]), int(named[2] or named[1])


def _on_line(line: int, dataset: Dataset) -> range:
    low, high = 0, len(dataset)
    while low < high:  # lines ascend within the one file
        middle = (low + high) // 2
        if dataset.source(middle).line < line:
            low = middle + 1
        else:
            high = middle
    if low == len(dataset) or dataset.source(low).line != line:
        raise CommandFailed(f"no record begins on line {line}", BAD_DATA)
    return range(low, low + 1)
