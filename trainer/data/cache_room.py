"""Keep the cache of indexes, lengths and checks from growing without end."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DAY_SECONDS = 86_400
UNUSED_SECONDS = 60 * DAY_SECONDS  # what nobody used for so long goes
LIMIT_BYTES = 2 * 2**30  # above it what was used longest ago goes, too
KINDS = ("index-*.npz", "checks/*.json", "shards/*", "tmp-*", "shards/*/tmp-*")
UNFINISHED = "tmp-"  # left by a process that was killed while it wrote


@dataclass(frozen=True)
class Kept:
    """A file, or the shards of one data file."""

    path: Path
    bytes: int
    used: float  # Unix seconds


def note_use(path: Path) -> None:
    """Remember that something kept was of use just now."""
    with contextlib.suppress(OSError):
        path.touch()


def make_room(cache: Path, limit_bytes: int = LIMIT_BYTES) -> list[Path]:
    """Delete what is old, or used longest ago, and return it.

    What was used within a day stays, however much it is: a check may be at work on it.
    """
    now = time.time()
    kept = sorted(_kept(cache), key=lambda it: it.used)
    too_much = sum(it.bytes for it in kept) - limit_bytes
    gone: list[Path] = []
    for it in kept:
        unfinished = it.path.name.startswith(UNFINISHED)
        unused = now - it.used
        if unused < DAY_SECONDS or not (unfinished or unused > UNUSED_SECONDS or too_much > 0):
            continue
        if _deleted(it.path):
            too_much -= it.bytes
            gone.append(it.path)
    return gone


def _kept(cache: Path) -> Iterator[Kept]:
    for kind in KINDS:
        for path in cache.glob(kind):
            with contextlib.suppress(OSError):  # another process deletes, too
                files = list(path.iterdir()) if path.is_dir() else [path]
                used = max(it.stat().st_mtime for it in (path, *files))
                yield Kept(path, sum(it.stat().st_size for it in files), used)


def _deleted(path: Path) -> bool:
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError:
        return False
    return True
