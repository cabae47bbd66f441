"""Find the elements of a file that holds one JSON array."""

import json
from pathlib import Path

import numpy as np

from trainer.data.errors import DataError

_WHITE = " \t\r\n"


def locate_elements(path: Path, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the byte offsets at which the array's elements begin and end, two int64 rows.

    The file is loaded whole. Read as Latin-1 every byte is one character, so that positions in
    the text are byte offsets; JSON's structure is ASCII in either reading.

    Raises:
        DataError: The file is no single, complete array.

    """
    text = path.read_bytes().decode("latin-1")
    starts, ends = [], []
    position = _skip_white(text, text.index("[", first) + 1)
    if text[position : position + 1] != "]":
        while True:
            starts.append(position)
            position = _element_end(path, text, position)
            ends.append(position)
            position = _skip_white(text, position)
            if text[position : position + 1] != ",":
                break
            position = _skip_white(text, position + 1)
    _expect_the_end(path, text, position)
    return np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)


def first_element(path: Path, text: str) -> tuple[int, int] | None:
    """Return begin and end of the first element of an array's text, None if it has none.

    Raises:
        DataError: The element is broken, or not complete in this text.

    """
    start = _skip_white(text, text.index("[") + 1)
    if text[start : start + 1] == "]":
        return None
    return start, _element_end(path, text, start)


_DECODER = json.JSONDecoder(strict=False)


def _element_end(path: Path, text: str, position: int) -> int:
    try:
        return _DECODER.raw_decode(text, position)[1]
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        at = error.pos if isinstance(error, json.JSONDecodeError) else position
        raise DataError(
            f"{path}: broken JSON in the array at byte {at}: {what}; "
            "mend it, or convert it to JSONL, where one broken record costs no other"
        ) from error


def _expect_the_end(path: Path, text: str, position: int) -> None:
    closed = text[position : position + 1] == "]"
    if closed and not text[position + 1 :].strip(_WHITE):
        return
    what = "something after the array" if closed else "neither ',' nor ']' after an element"
    raise DataError(
        f"{path}: {what} at byte {position + closed}; "
        "a file holds one array, or JSONL with one object a line"
    )


def _skip_white(text: str, position: int) -> int:
    while text[position : position + 1] in _WHITE and position < len(text):
        position += 1
    return position
