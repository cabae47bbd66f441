"""Find the picture of a record in its data file; made to be called in a thread."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO

from trainer.run.text import sanitise

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 40_000_000  # of a picture that is decoded
KEPT_SIDE_PIXELS = 768  # more than a terminal shows
KEPT_PICTURES = 16
MAX_LINE_BYTES = 64 * 2**20
MAX_SCAN_BYTES = 4 * 2**30  # looked through for a line, where there is no index
BLOCK_BYTES = 2**20
REASON_CHARACTERS = 300

_one_at_a_time = threading.Lock()  # Pillow's limits are global


@dataclass(frozen=True)
class RecordPicture:
    """One picture of a record, or why there is none."""

    image: "Image | None"  # RGB, upright
    pictures: int  # that the record has
    words: str  # why there is no image, sanitised; empty when nothing is wrong


NO_PICTURE = RecordPicture(None, 0, "")


def record_picture(file: str, line: int, number: int) -> RecordPicture:
    """Return the picture of that number, from 0, of the record on a line, counted from 1."""
    with _one_at_a_time:
        try:
            status = Path(file).stat()
        except (OSError, ValueError):
            return _none(f"{file} is not here")
        if not S_ISREG(status.st_mode):
            return _none(f"{file} is not a regular file")
        modified = status.st_mtime_ns
        return _cached(file, modified, line, number)


@lru_cache(KEPT_PICTURES)
def _cached(file: str, _modified: int, line: int, number: int) -> RecordPicture:
    from trainer.config.reading import ColumnsConfig
    from trainer.data.encoded import ImageError
    from trainer.data.errors import RecordError, Source
    from trainer.data.formats.read import load_object
    from trainer.data.formats.recognise import RecordFormat, common_format
    from trainer.data.records import images_of

    try:
        text = _record_text(Path(file), line)
        if text is None:
            return _none(f"{file} has no line {line:,} that could be read")
        source = Source(file, line, 0)
        value = load_object(text, source)
        written = RecordFormat(common_format([value], ColumnsConfig()))
        references = images_of(written.read(value, source))
        if not references:
            return NO_PICTURE
        number %= len(references)
        return RecordPicture(_decoded(references[number], Path(file).parent), len(references), "")
    except RecordError as error:
        return _none(error.reason)
    except (ImageError, OSError) as error:
        return _none(str(error))


def _none(reason: str) -> RecordPicture:
    return RecordPicture(None, 0, sanitise(f"no picture: {reason}", REASON_CHARACTERS))


def _decoded(reference: str, folder: Path) -> "Image":
    from trainer.data.encoded import ImagePolicy, read_encoded
    from trainer.data.images import decode_image

    policy = ImagePolicy(max_source_pixels=MAX_PIXELS, allow_remote=False)
    image = decode_image(read_encoded(reference, folder, policy), policy)
    image.thumbnail((KEPT_SIDE_PIXELS, KEPT_SIDE_PIXELS))
    return image


def _record_text(path: Path, line: int) -> bytes | None:
    """Return the bytes of the record that begins on a line; None: not found."""
    from trainer.data.index import starts_an_array
    from trainer.data.index_cache import cached_index, default_cache_folder

    with path.open("rb") as file:
        is_array = starts_an_array(file.read(4096))
        cached = cached_index(default_cache_folder(), path.absolute(), path.stat())
        arrays = cached[1] if cached else {}
        if "starts" in arrays:
            index = int(arrays["lines"].searchsorted(line))
            if index >= len(arrays["lines"]) or arrays["lines"][index] != line:
                return None
            return _span(file, int(arrays["starts"][index]), int(arrays["ends"][index]))
        if is_array:
            return None
        if "newlines" in arrays and line - 2 < len(arrays["newlines"]):
            start = int(arrays["newlines"][line - 2]) + 1 if line > 1 else 0
        else:
            start = _start_of(file, line)
        if start is None:
            return None
        file.seek(start)
        return file.readline(MAX_LINE_BYTES).removeprefix(b"\xef\xbb\xbf") or None


def _span(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(min(end - start, MAX_LINE_BYTES))


def _start_of(file: BinaryIO, line: int) -> int | None:
    """Return where a line begins, after a look through the file up to there."""
    before, position = line - 1, 0
    file.seek(0)
    while before and position < MAX_SCAN_BYTES and (block := file.read(BLOCK_BYTES)):
        newlines = block.count(b"\n")
        if newlines < before:
            before -= newlines
            position += len(block)
            continue
        offset = -1
        for _ in range(before):
            offset = block.index(b"\n", offset + 1)
        return position + offset + 1
    return None if before else 0
