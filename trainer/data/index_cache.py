"""Keep the index of a data file between runs."""

import contextlib
import json
import os
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np

from trainer.data.cache_room import make_room, note_use

FORMAT = 1


def default_cache_folder() -> Path:
    """Return $XDG_CACHE_HOME/qvl, by default ~/.cache/qvl."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "qvl"


def cached_index(
    folder: Path, path: Path, status: os.stat_result
) -> tuple[str, dict[str, np.ndarray]] | None:
    """Return content hash and tables of a file as stored for this very state of it, else None.

    A cache file that is missing, broken or of another state is as good as none.
    """
    try:
        with (
            _cache_file(folder, path).open("rb") as file,  # np.load leaves a damaged one open
            np.load(file, allow_pickle=False) as stored,
        ):
            arrays = {name: stored[name] for name in stored.files}
            header = json.loads(bytes(arrays.pop("header")))
        if header["state"] != _state(path, status):
            return None
        note_use(_cache_file(folder, path))
        return str(header["sha256"]), arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def store_index(
    folder: Path,
    path: Path,
    status: os.stat_result,
    content_sha256: str,
    arrays: dict[str, np.ndarray],
) -> None:
    """Store the tables of a file; a folder that cannot be written costs only the next start."""
    text = json.dumps({"state": _state(path, status), "sha256": content_sha256})
    header = np.frombuffer(text.encode(), dtype=np.uint8)
    target = _cache_file(folder, path)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="tmp-", delete=False) as file:
            try:
                np.savez(file, allow_pickle=False, header=header, **arrays)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(target)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
        make_room(folder)


def _cache_file(folder: Path, path: Path) -> Path:
    return folder / f"index-{sha256(os.fsencode(path)).hexdigest()[:32]}.npz"


def _state(path: Path, status: os.stat_result) -> list[int | str]:
    """What identifies the content without reading it; the change time cannot be set back."""
    return [
        FORMAT,
        str(path),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    ]
