"""What lies in a folder, as a person looks for it."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKPOINT_FILES = {"config.json": "checkpoint", "adapter_config.json": "adapter"}


@dataclass(frozen=True)
class Entry:
    """A file or folder."""

    path: Path
    folder: bool
    bytes: int | None  # of a file
    kind: str = ""  # of a folder that is a checkpoint or an adapter

    @property
    def name(self) -> str:
        """Its name, a folder's with a slash."""
        return f"{self.path.name}/" if self.folder else self.path.name


def entries_of(folder: Path, *, hidden: bool) -> list[Entry]:
    """Return what lies in a folder, folders first, by name.

    Raises:
        OSError: It cannot be read.

    """
    with os.scandir(folder) as found:
        entries = [_entry(it) for it in found if hidden or not it.name.startswith(".")]
    return sorted(entries, key=lambda it: (not it.folder, it.path.name.lower()))


def _entry(found: os.DirEntry[str]) -> Entry:
    path = Path(found.path)
    try:
        if found.is_dir():
            return Entry(path, folder=True, bytes=None, kind=kind_of(path))
        return Entry(path, folder=False, bytes=found.stat().st_size)
    except OSError:  # a link to nowhere
        return Entry(path, folder=False, bytes=None)


def kind_of(folder: Path) -> str:
    """Return what a folder is: a checkpoint, an adapter or nothing of the kind."""
    for name, kind in reversed(CHECKPOINT_FILES.items()):
        if os.access(folder / name, os.F_OK):
            return kind
    return ""


def split_typed(text: str, here: Path) -> tuple[Path, str]:
    """Return the folder that a typed text speaks of, and the beginning of a name in it."""
    head, slash, name = text.rpartition("/")
    if not slash:
        return here, text
    try:
        return here / Path(f"{head}/").expanduser(), name
    except RuntimeError:  # ~nobody
        return here, text


def completion(name: str, entries: list[Entry]) -> str:
    """Return the longest beginning that all entries share which begin like `name`."""
    names = [it.name for it in entries if it.path.name.startswith(name)]
    if not names:
        return name
    first, last = min(names), max(names)  # what these two share, all between them share
    end = next(
        (i for i, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), None
    )
    return first[: min(len(first), len(last))] if end is None else first[:end]
