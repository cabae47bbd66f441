"""The first questions and answers that columns become."""

from dataclasses import dataclass

from trainer.check.answers import answers_of, text_of
from trainer.data.errors import RecordError
from trainer.data.reading import Records
from trainer.data.records import ChatRecord, PromptRecord, Record, images_of

SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One record in words."""

    file: str
    line: int
    system: str
    question: str
    answer: str
    images: int


def previews_of(records: Records) -> list[Preview]:
    """Return the first records that can be read of each file whose records are columns."""
    found: list[Preview] = []
    for numbers in records.numbers_of("instruction"):
        shown = 0
        for number in numbers:
            try:
                found.append(_preview(records[number]))
            except RecordError:  # the check tells of it
                continue
            shown += 1
            if shown == SHOWN:
                break
    return found


def _preview(record: Record) -> Preview:
    assert isinstance(record, PromptRecord | ChatRecord)
    words = {"system": "", "question": ""}
    if isinstance(record, PromptRecord):
        words["question"] = record.prompt
    else:
        roles = {"system": "system", "user": "question"}
        words |= {roles[it["role"]]: text_of(it) for it in record.messages if it["role"] in roles}
    (answer,) = answers_of(record)
    return Preview(
        file=record.source.file,
        line=record.source.line,
        **words,
        answer=answer.text,
        images=len(images_of(record)),
    )
