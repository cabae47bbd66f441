"""Look at a stretch of records: what each takes, and what is to be said about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import orjson

from trainer.check.answers import answers_of, is_json, odd_answers, odd_markers
from trainer.check.findings import Remark, remark_of, warning
from trainer.check.places import odd_places
from trainer.check.sizes import odd_sizes
from trainer.config.schema import DataConfig
from trainer.data.errors import RecordError
from trainer.data.estimating import Estimating
from trainer.data.lengths import COLUMNS
from trainer.data.measuring import Measured, Measuring
from trainer.data.reading import Records
from trainer.data.records import Record, images_of
from trainer.data.shards import Arrays, picture_states

ALL_COLUMNS = (*COLUMNS, "visual_tokens", "images")
NO_ANSWER, OTHER_ANSWER, JSON_ANSWER = 0, 1, 2


@dataclass(frozen=True)
class CheckLook:
    """Looks at records as a run would read them; can be sent to another process."""

    measuring: Measuring | Estimating

    def __call__(self, records: Records, numbers: range) -> Arrays:
        """Return columns of the records, remarks as JSON, and the states of the pictures."""
        columns = {name: np.zeros(len(numbers), dtype=np.int32) for name in ALL_COLUMNS}
        content = np.zeros(len(numbers), dtype=np.uint64)
        answers = np.zeros(len(numbers), dtype=np.uint8)
        remarks: list[list[object]] = []
        references: list[str] = []
        sizes: list[tuple[int, int]] = []
        for row, number in enumerate(numbers):
            try:
                record = records[number]
                references += images_of(record)
                measured = self.measuring.measure(record)
            except RecordError as error:
                remarks.append(_packed(row, remark_of(error)))
                continue
            _fill(columns, row, measured)
            sizes += ((it.width, it.height) for it in measured.images)
            content[row] = content_of(measured)
            answers[row] = kind_of_answer(record)
            remarks += (_packed(row, it) for it in self._remarks(record, measured))
        folder = Path(records.dataset.source(numbers.start).file).parent
        return {
            **columns,
            "content": content,
            "answers": answers,
            "image_sizes": np.array(sizes, dtype=np.int32).reshape(-1, 2),
            "remarks": np.frombuffer(orjson.dumps(remarks), dtype=np.uint8),
            **picture_states(references, folder),
        }

    def _remarks(self, record: Record, measured: Measured) -> Iterator[Remark]:
        measuring = self.measuring
        thinking = _options(measuring).thinking
        yield from odd_answers(record, measuring.variant, thinking)
        yield from odd_markers(record)
        yield from odd_places(record, measured, measuring.speech, measuring.rule)
        yield from odd_sizes(measured, measuring.rule)
        for note in measured.notes:
            yield warning(note, note, "mend the record, unless that is what you want")


def _options(measuring: Measuring | Estimating) -> DataConfig:
    return measuring.options if isinstance(measuring, Estimating) else measuring.renderer.options


def _packed(row: int, remark: Remark) -> list[object]:
    return [row, remark.severity, remark.kind, remark.what, remark.remedy]


def unpacked(arrays: Arrays) -> list[tuple[int, Remark]]:
    """Return the remarks of a shard, each with the row it is about."""
    return [(row, Remark(*parts)) for row, *parts in orjson.loads(arrays["remarks"].tobytes())]


def _fill(columns: Arrays, row: int, measured: Measured) -> None:
    for name in ALL_COLUMNS[:-1]:
        columns[name][row] = getattr(measured, name)
    columns["images"][row] = len(measured.images)


def content_of(measured: Measured) -> int:
    """Return 64 bits that are equal for records of the same text and pictures."""
    digest = sha256(measured.rendering.text.encode(errors="surrogatepass"))
    for image in measured.images:
        place = image.reference if image.file is None else str(image.file.path)
        digest.update(b"\0" + place.encode(errors="surrogatepass"))
    return int.from_bytes(digest.digest()[:8], "little")


def kind_of_answer(record: Record) -> int:
    """Return whether the answers are JSON, something else is among them, or there are none."""
    answers = answers_of(record)
    if not answers:
        return NO_ANSWER
    return JSON_ANSWER if all(is_json(it.text) for it in answers) else OTHER_ANSWER
