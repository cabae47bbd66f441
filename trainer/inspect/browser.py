"""Go through records: a line about each, the next one that is wanted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainer.data.errors import RecordError
from trainer.data.measuring import Measuring
from trainer.data.reading import Records
from trainer.data.records import ChatRecord, DenseRecord, PromptRecord, Record, images_of
from trainer.inspect.inspector import Inspector
from trainer.inspect.kept import KeptProblems

HEAD_CHARACTERS = 120


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record in a list."""

    record: int  # from 1
    file: str
    line: int
    images: int
    head: str  # what its answer begins with
    problem: str | None  # why it would not be trained, as far as headers tell


@dataclass(frozen=True, kw_only=True)
class Search:
    """How far a search got."""

    found: int | None  # the record, from 1
    looked_to: int  # the last record that was looked at, from 1
    ended: bool  # whether there is nothing left to look at


@dataclass(frozen=True, eq=False)
class Browser:
    """Lists and searches the records of an inspector."""

    inspector: Inspector

    @cached_property
    def _measuring(self) -> Measuring:
        return self.inspector.opened.encoder.measuring()

    @cached_property
    def _kept(self) -> dict[str, KeptProblems]:
        splits = self.inspector.opened.builder.splits
        identity = self._measuring.identity
        return {name: KeptProblems(split.records, identity) for name, split in splits.items()}

    def _records(self, split: str) -> Records:
        return self.inspector.opened.split(split).records

    def rows(self, split: str, first: int, count: int) -> list[Row]:
        """Return a line for each of `count` records from number `first` (from 0) on."""
        last = min(first + count, len(self._records(split)))
        return [self._row(split, number) for number in range(max(first, 0), last)]

    def _row(self, split: str, number: int) -> Row:
        records = self._records(split)
        source = records.dataset.source(number)
        record, problem = self._looked_at(split, number)
        return Row(
            record=number + 1,
            file=source.file,
            line=source.line,
            images=len(images_of(record)) if record else 0,
            head=" ".join(_answer(record)[: 4 * HEAD_CHARACTERS].split())[:HEAD_CHARACTERS]
            if record
            else "",
            problem=problem,
        )

    def _looked_at(self, split: str, number: int) -> tuple[Record | None, str | None]:
        """A record, and what is wrong with it."""
        try:
            record = self._records(split)[number]
        except RecordError as error:
            return None, error.reason
        try:
            self._measuring.measure(record)
        except RecordError as error:
            return record, error.reason
        return record, None

    def find(self, split: str, start: int, by: int, text: str | None, seconds: float) -> Search:
        """Return the next record that has a text in it, or a problem where no text is given.

        Args:
            split: Which records.
            start: The number, from 0, of the first that is looked at.
            by: 1 forwards, -1 backwards.
            text: What is looked for, in any case.
            seconds: When to pause; another call goes on.

        """
        records = len(self._records(split))
        wanted = self._has_a_problem(split) if text is None else self._has_text(split, text)
        deadline = time.monotonic() + seconds
        number = start
        while 0 <= number < records:
            if wanted(number):
                return Search(found=number + 1, looked_to=number + 1, ended=False)
            if time.monotonic() > deadline:
                break
            number += by
        ended = not 0 <= number + by < records
        return Search(found=None, looked_to=min(max(number + 1, 1), max(records, 1)), ended=ended)

    def _has_a_problem(self, split: str) -> Callable[[int], bool]:
        kept = self._kept[split]

        def found(number: int) -> bool:
            known = kept.has_problem(number)
            return known is not False and self._looked_at(split, number)[1] is not None

        return found

    def _has_text(self, split: str, text: str) -> Callable[[int], bool]:
        folded = text.casefold()

        def found(number: int) -> bool:
            try:
                record = self._records(split)[number]
            except RecordError as error:
                return folded in error.reason.casefold()
            return folded in _words(record).casefold()

        return found


def _answer(record: Record) -> str:
    """The text that is trained, roughly."""
    if isinstance(record, DenseRecord):
        return record.summary or ", ".join(it.desc for it in record.objects)
    if isinstance(record, PromptRecord):
        return record.response
    if not isinstance(record, ChatRecord):
        return record.text
    if record.response is not None:
        return record.response
    answers = [it for it in record.messages if it["role"] == "assistant"]
    return _text(answers[-1]["content"]) if answers else record.thinking or ""


def _words(record: Record) -> str:
    """All the text of a record, one piece a line; where it lies is part of it."""
    if isinstance(record, ChatRecord):
        told = [_text(message["content"]) for message in record.messages]
        pieces = [*told, record.thinking or "", record.response or ""]
    elif isinstance(record, DenseRecord):
        pieces = [*(it.desc for it in record.objects), record.summary or ""]
    elif isinstance(record, PromptRecord):
        pieces = [record.prompt, record.response]
    else:
        pieces = [record.text]
    named = [image for image in images_of(record) if not image.startswith("data:")]
    return "\n".join([*pieces, *(image for image in named if len(image) <= HEAD_CHARACTERS * 2)])


def _text(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
