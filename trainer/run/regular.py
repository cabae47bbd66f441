"""Open files that others put there, and nothing else: a pipe would keep the reader waiting."""

import errno
import os
import stat
from pathlib import Path

SMALL_BYTES = 4 * 2**20  # a larger file is none of ours


def open_regular(path: Path) -> int:
    """Return a descriptor of a regular file, opened for reading.

    Raises:
        OSError: There is none, it cannot be opened, or it is a folder, a pipe or a device.

    """
    # A pipe opened this way does not wait for somebody who writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "is no regular file", str(path))


def is_file(path: Path) -> bool:
    """Whether a path names a file; not where it cannot be one, as with too long a name."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises


def is_folder(path: Path) -> bool:
    """Whether a path names a folder; not where it cannot be one, as with too long a name."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises


def is_there(path: Path) -> bool:
    """Whether there is anything of that name; not where there cannot be."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises


def why_unreadable(error: OSError) -> str:
    """Return which file could not be read and why, in a few words."""
    name = Path(error.filename).name if isinstance(error.filename, str) else ""
    return f"{name} {error.strerror or error}".strip()


def file_size(path: Path) -> int:
    """Return the bytes of a file; 0 when it is not there or not to be reached."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_small(path: Path) -> bytes:
    """Return the content of a small file.

    Raises:
        OSError: It cannot be opened, is no regular file, or is larger than SMALL_BYTES.

    """
    with os.fdopen(open_regular(path), "rb") as file:
        content = file.read(SMALL_BYTES + 1)
    if len(content) > SMALL_BYTES:
        raise OSError(errno.EFBIG, f"is larger than {SMALL_BYTES:,} bytes", str(path))
    return content
