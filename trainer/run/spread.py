"""Read a few lines of long files, spread evenly over them."""

import os
from collections.abc import Sequence
from pathlib import Path

from trainer.run.regular import open_regular

WINDOW_BYTES = 32 * 2**10  # in which a whole line is looked for; a sample of 8 GPUs has 4 kB


def spread_lines(spans: Sequence[tuple[Path, int]], most: int) -> list[bytes]:
    """Return at most so many lines in their order, from the first bytes of each file.

    The places that are looked at lie evenly in the bytes of all files together. A file that is
    not there has no lines.

    Raises:
        OSError: A file is there and cannot be read.

    """
    total = sum(length for _, length in spans)
    lines: list[bytes] = []
    for path, length in spans:
        places = most * length // total if total else 0
        if places:
            lines += _lines(path, length, places)
    return lines


def _lines(path: Path, length: int, places: int) -> list[bytes]:
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        return []
    try:
        return _lines_of_open(descriptor, length, places)
    finally:
        os.close(descriptor)


def _lines_of_open(descriptor: int, length: int, places: int) -> list[bytes]:
    lines: list[bytes] = []
    behind = 0  # the line that was read last
    for place in range(places):
        offset = max(place * length // places, behind)
        window = os.pread(descriptor, min(WINDOW_BYTES, length - offset), offset)
        begin = 0 if offset == behind else window.find(b"\n") + 1
        end = window.find(b"\n", begin)
        if end >= 0 and (begin or offset == behind):
            lines.append(window[begin:end])
            behind = offset + end + 1
    return lines
