"""Look at the records of a data set: how many, how large, and what is wrong with them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainer.config.schema import DataConfig
from trainer.data.encoded import ImageError, ImagePolicy, find_encoded
from trainer.data.errors import RecordError
from trainer.data.headers import size_by_header
from trainer.data.index import Dataset, index_file
from trainer.data.pictures import PictureRule
from trainer.data.reading import Records
from trainer.data.records import ChatRecord, DenseRecord, PromptRecord, Record, images_of
from trainer.forecast.memory import Load

RECORDS_LOOKED_AT = 500
SECONDS = 10.0  # pictures on a slow disk end the look earlier
PROBLEMS_TOLD = 50
BYTES_PER_TOKEN = 3  # of UTF-8 text; English has 4, Chinese between 2 and 3
TOKENS_PER_TURN = 6  # that the chat template puts around a message
ADDRESSES = ("http://", "https://")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A record that cannot be used."""

    file: str
    line: int
    reason: str


@dataclass(kw_only=True)
class Look:
    """What some records of a data set are like."""

    records: int  # that there are
    looked_at: int = 0
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0  # that are only counted
    visual_tokens: list[int] = field(default_factory=list)  # of each record with images
    images: int = 0
    remote_images: int = 0  # not looked at: they lie elsewhere
    largest: Load = field(  # each number the largest of any record
        default_factory=lambda: Load(tokens=0, target_tokens=0, patches=0)
    )

    def visual_token_range(self) -> tuple[int, int, int] | None:
        """Return the least, the median and the most visual tokens of a record with images."""
        if not self.visual_tokens:
            return None
        median = int(np.median(self.visual_tokens))
        return min(self.visual_tokens), median, max(self.visual_tokens)


def open_dataset(paths: Sequence[str], data: DataConfig, limit: int | None) -> Dataset:
    """Return the records of data files; raises DataError."""
    files = [
        index_file(path, cache_dir=data.cache_dir, max_array_bytes=data.max_array_bytes)
        for path in paths
    ]
    return Dataset(tuple(files), limit)


def look_at_records(dataset: Dataset, data: DataConfig, rule: PictureRule) -> Look:
    """Return what records spread over the data set are like; images by their headers alone.

    Raises:
        DataChanged: A file is being written to.

    """
    look = Look(records=len(dataset))
    deadline = time.monotonic() + SECONDS
    records = Records.of(dataset, data)
    for number in _spread(len(dataset)):
        _look_at(records, number, rule, look)
        look.looked_at += 1
        if time.monotonic() > deadline:
            break
    look.problems.sort(key=lambda problem: (problem.file, problem.line))
    return look


def _spread(records: int) -> Iterator[int]:
    """Yield record numbers from all over the files, in an order that can be cut short anywhere."""
    chosen = np.unique(np.linspace(0, records - 1, min(records, RECORDS_LOOKED_AT), dtype=int))
    yield from np.random.default_rng(0).permutation(chosen).tolist()


def _look_at(records: Records, number: int, rule: PictureRule, look: Look) -> None:
    source = records.dataset.source(number)
    try:
        _measure(records[number], records.options, rule, look)
    except RecordError as error:
        look.problems.append(Problem(file=source.file, line=source.line, reason=error.reason))


def _measure(record: Record, data: DataConfig, rule: PictureRule, look: Look) -> None:
    visual, patches = _pictures(record, data, rule, look)
    if visual > data.max_length:
        what = f"{visual} visual tokens, data.max_length is {data.max_length}"
        raise RecordError(record.source, what, "raise it or lower data.max_pixels")
    if visual:
        look.visual_tokens.append(visual)
    text, answer = text_tokens(record, with_thinking=data.thinking == "include")
    before = look.largest
    tokens = min(visual + text, data.max_length)
    look.largest = Load(
        tokens=max(before.tokens, tokens),
        target_tokens=max(before.target_tokens, min(answer, tokens)),
        patches=max(before.patches, patches),
    )


def _pictures(record: Record, data: DataConfig, rule: PictureRule, look: Look) -> tuple[int, int]:
    """Return the visual tokens and patches of a record."""
    visual = patches = 0
    references = images_of(record)
    policy = ImagePolicy(data.max_source_pixels, allow_remote=False)
    for number, reference in enumerate(references, start=1):
        if data.allow_remote and reference[:8].lower().startswith(ADDRESSES):
            look.remote_images += 1
            continue
        try:
            found = find_encoded(reference, Path(record.source.file).parent, policy)
            width, height = size_by_header(found, policy)
        except ImageError as error:
            what = f"image {number} of {len(references)}: {error}"
            remedy = "replace the image or remove the record"
            raise RecordError(record.source, what, remedy) from error
        look.images += 1
        visual += rule.visual_tokens(width, height)
        patches += rule.patches(width, height)
    return visual, patches


def text_tokens(record: Record, *, with_thinking: bool) -> tuple[int, int]:
    """Return about how many tokens of text a record has, and how many of them are trained."""
    if isinstance(record, PromptRecord):
        answer = _tokens(record.response)
        return _tokens(record.prompt) + answer, answer
    if isinstance(record, DenseRecord):
        written = [(it.desc, it.shape.points) for it in record.objects]
        answer = max(_tokens(str(written)), _tokens(record.summary or ""))
        return answer + 2 * TOKENS_PER_TURN, answer
    if not isinstance(record, ChatRecord):
        return _tokens(record.text), _tokens(record.text)
    thinking = (record.thinking or "") if with_thinking else ""
    answer = _tokens((record.response or "") + thinking)
    context = _tokens(str(record.tools)) if record.tools else 0
    for message in record.messages:
        tokens = _tokens(_text_of(message["content"])) + TOKENS_PER_TURN
        if message["role"] == "assistant":
            answer += tokens
        else:
            context += tokens
    return context + answer + TOKENS_PER_TURN, answer


def _text_of(content: str | list[dict[str, str]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _tokens(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)
