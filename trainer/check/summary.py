"""Keep what a check found in short, so that a preflight shows it without checking again."""

import contextlib
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trainer.check.tally import Located, Tally
from trainer.config.schema import RunConfig
from trainer.data.cache_room import make_room, note_use
from trainer.data.index_cache import default_cache_folder
from trainer.data.measuring import WITHOUT_EFFECT
from trainer.data.reading import Records
from trainer.data.shards import picture_states
from trainer.forecast.checkpoint import checkpoint_folder
from trainer.forecast.memory import Load
from trainer.forecast.records import PROBLEMS_TOLD, Look, Problem, describe
from trainer.model.cost import Extent

FORMAT = 2
CHECKPOINT_FILES = ("*.json", "*.jinja", "merges.txt")  # what decides tokens, without the weights
LARGEST_FILE_BYTES = 64 * 2**20
PICTURES_LOOKED_AT = 300  # of a split, whether they still are what they were


def look_of(tally: Tally) -> Look:
    """Return what a preflight tells of a split whose records were all looked at."""
    errors = tally.errors[:PROBLEMS_TOLD]
    look = Look(
        records=len(tally.records),
        looked_at=len(tally.records),
        problems=[_problem(it) for it in errors],
        more_problems=tally.count("error") - len(errors),
    )
    describe(look, tally.columns)
    look.visual_tokens = list(look.visual_token_range() or ())  # enough: only these are told
    return look


def _problem(located: Located) -> Problem:
    remark = located.remark
    return Problem(file=located.file, line=located.line, reason=f"{remark.what}; {remark.remedy}")


def store_summary(config: RunConfig, tallies: dict[str, Tally]) -> None:
    """Keep what a preflight tells; a folder that cannot be written costs only the next one."""
    splits = {name: _stored(tally) for name, tally in tallies.items()}
    records = {name: tally.records for name, tally in tallies.items()}
    path = _path(config, records)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(splits, option=orjson.OPT_SERIALIZE_NUMPY))
        make_room(path.parent.parent)


def _stored(tally: Tally) -> dict[str, Any]:
    files = tally.picture_files
    chosen = np.unique(np.linspace(0, len(files) - 1, PICTURES_LOOKED_AT, dtype=int)).tolist()
    named = [files[number] for number in chosen] if files else []
    states = picture_states(named, Path("/"))["picture_states"].tolist()
    return {"look": asdict(look_of(tally)), "pictures": named, "states": states}


def looks_of_earlier_check(
    config: RunConfig, records: dict[str, Records]
) -> dict[str, Look] | None:
    """Return what a check found in exactly this data, with pictures that still are the same."""
    try:
        splits = orjson.loads(_path(config, records).read_bytes())
        note_use(_path(config, records))
        if not all(_still_true(it) for it in splits.values()):
            return None
        return {name: _look(it["look"]) for name, it in splits.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _still_true(stored: dict[str, Any]) -> bool:
    states = picture_states(stored["pictures"], Path("/"))["picture_states"]
    return states.tolist() == stored["states"]


def _look(stored: dict[str, Any]) -> Look:
    problems = [Problem(**it) for it in stored.pop("problems")]
    largest, whole = Load(**stored.pop("largest")), Extent(**stored.pop("whole"))
    return Look(problems=problems, largest=largest, whole=whole, **stored)


def _path(config: RunConfig, records: dict[str, Records]) -> Path:
    cache = config.data.cache_dir
    folder = Path(cache).expanduser() if cache else default_cache_folder()
    return folder / "checks" / f"{_key(config, records)}.json"


def _key(config: RunConfig, records: dict[str, Records]) -> str:
    """What the summary depends on: content, options, and the checkpoint's files by content."""
    data = [
        [name, len(it), [(file.path, file.sha256) for file in it.dataset.files]]
        for name, it in records.items()
        if len(it)
    ]
    options = config.data.model_dump_json(exclude=set(WITHOUT_EFFECT) - {"format"})
    parts = [FORMAT, data, options, config.model.path, config.model.variant, _checkpoint(config)]
    return sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _checkpoint(config: RunConfig) -> str:
    digest = sha256()
    folder = checkpoint_folder(config.model)
    for pattern in CHECKPOINT_FILES:
        for path in sorted(folder.glob(pattern)) if folder else ():
            if path.stat().st_size <= LARGEST_FILE_BYTES:
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
