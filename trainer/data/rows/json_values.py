"""Read the elements of a JSON array one by one, without ever holding all of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from trainer.data.errors import DataError, Source
from trainer.data.rows.row import Row
from trainer.data.scan import BLOCK_BYTES, UTF8_BOM

WHITE = " \t\r\n"
DATA_KEY = "data"  # of an object that holds the records


class JsonText:
    """JSON on its way in: a window over a file that moves forward.

    Read as Latin-1 every byte is one character, so that positions in the text are byte offsets;
    JSON's structure is ASCII in either reading.
    """

    def __init__(self, path: Path, file: BinaryIO, limit_bytes: int) -> None:
        self.path = path
        self._file = file
        self._limit_bytes = limit_bytes
        self._decoder = json.JSONDecoder(strict=False)
        self._text = ""
        self._at = 0  # in the text
        self._offset = 0  # of the text in the file
        self._line = 1  # that the text begins in
        self._ended = False
        self._more()
        if self._text.startswith(UTF8_BOM.decode("latin-1")):
            self._at = len(UTF8_BOM)

    def _more(self) -> None:
        """Read on, at least as much again as is there: decoding anew then costs twice at most."""
        block = self._file.read(max(BLOCK_BYTES, len(self._text) - self._at))
        self._ended = not block
        self._text += block.decode("latin-1")

    def peek(self) -> str:
        """Return the next character that is not white, empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in WHITE:
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def take(self, expected: str) -> None:
        """Go past a character; raises DataError where another one is next."""
        found = self.peek()
        if found != expected:
            said = repr(found) if found else "the end of the file"
            raise self.error(f"{said} instead of {expected!r}")
        self._at += 1

    def value(self) -> tuple[bytes, Source]:
        """Return the JSON value that comes next and where it lies; raises DataError."""
        self.peek()
        self._drop_what_is_past()
        while True:
            try:
                _, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or isinstance(error, RecursionError):
                    what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                    raise self.error(what) from error
            else:
                if end < len(self._text) or self._ended:  # a number may go on
                    return self._taken(end)
            if len(self._text) - self._at > self._limit_bytes:
                raise self.error(f"a value of more than {self._limit_bytes} bytes")
            self._more()

    def _taken(self, end: int) -> tuple[bytes, Source]:
        line = self._line + self._text.count("\n", 0, self._at)
        source = Source(str(self.path), line, self._offset + self._at)
        found = self._text[self._at : end].encode("latin-1")
        self._at = end
        return found, source

    def _drop_what_is_past(self) -> None:
        if self._at >= BLOCK_BYTES or self._at == len(self._text):
            self._line += self._text.count("\n", 0, self._at)
            self._offset += self._at
            self._text, self._at = self._text[self._at :], 0

    def error(self, what: str) -> DataError:
        """Return the error of a file that cannot be read on from here."""
        return DataError(
            f"{self.path}: broken JSON at byte {self._offset + self._at}: {what}; "
            "mend it, or write JSONL, where one broken record costs no other"
        )


def rows_of_array(text: JsonText) -> Iterator[Row]:
    """Yield a row for every element of the array that comes next; raises DataError."""
    text.take("[")
    while text.peek() != "]":
        line, source = text.value()
        yield Row(source, line)
        if text.peek() != ",":
            break
        text.take(",")
    text.take("]")


def go_to_data(text: JsonText) -> bool:
    """Go to the list of objects under `data` in the object that comes next.

    Returns whether there is one; without, the text is somewhere in or after the object.
    """
    try:
        text.take("{")
        while text.peek() == '"':
            key, _ = text.value()
            text.take(":")
            if json.loads(key.decode("latin-1")) == DATA_KEY and text.peek() == "[":
                return True
            text.value()
            if text.peek() != ",":
                break
            text.take(",")
    except DataError:
        return False  # as lines, the broken one is named
    return False
