"""Write a file that appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trainer.data.errors import DataError
from trainer.run import durable


def refuse_to_overwrite(target: Path, *, force: bool) -> None:
    """Raise DataError where a file may not be written."""
    if target.is_dir():
        raise DataError(f"{target}: it is a folder; name a file in it")
    if target.exists() and not force:
        raise DataError(
            f"{target}: it exists already; name another file, or overwrite with --force"
        )
    if not target.parent.is_dir():
        raise DataError(f"{target.parent}: there is no such folder; make it first")


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Open a file under another name; it gets its own when the block ends well.

    Raises:
        DataError: It cannot be written; nothing of it is left.

    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        durable.rename(temporary, target)
    except OSError as error:
        raise DataError(f"{target}: {error.strerror}; make room or choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)
