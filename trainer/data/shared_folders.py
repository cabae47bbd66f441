"""Folders of a cache that several runs share: locked while they are used, else free to go."""

import fcntl
import os
from pathlib import Path

from trainer.run import durable

LOCK = "in-use"


def use_folder(folder: Path) -> int:
    """Make a folder where there is none, and keep others from removing it.

    Returns:
        A file descriptor: the folder is in use until it is closed, also by the process's end.

    Raises:
        OSError: It cannot be made or written to.

    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # it was removed in this very moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            os.utime(folder / LOCK)
        except (BlockingIOError, FileNotFoundError):  # it is being removed
            os.close(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        else:
            return descriptor


def unused_longest_first(root: Path) -> list[Path]:
    """Return the folders in a root by the time they were last opened; some may be in use."""
    ages: list[tuple[float, Path]] = []
    for lock in root.glob(f"*/{LOCK}"):
        try:
            ages.append((lock.stat().st_mtime, lock.parent))
        except OSError:
            continue  # it went in this very moment
    return [folder for _, folder in sorted(ages)]


def remove_unused(folder: Path) -> bool:
    """Remove a folder; False where somebody uses it, or where locks do not work."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        durable.remove_tree(folder)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def folder_bytes(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes."""
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total
