"""The calls that make files survive a crash: write, sync, rename."""

import os
import shutil
from pathlib import Path


def sync_file(path: Path) -> None:
    """Flush a file's content to the disk."""
    _sync(path, os.O_RDONLY)


def sync_directory(path: Path) -> None:
    """Flush a directory's entries to the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and directory below and including `folder`."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync_directory(path) if path.is_dir() else sync_file(path)
    sync_directory(folder)


def rename(source: Path, target: Path) -> None:
    """Rename within a file system and make the new name last."""
    source.rename(target)
    sync_directory(target.parent)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        OSError: Nothing was replaced; the temporary file is gone.

    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def remove_tree(folder: Path) -> None:
    """Remove a folder; one that is not there is no error."""
    shutil.rmtree(folder, ignore_errors=True)
