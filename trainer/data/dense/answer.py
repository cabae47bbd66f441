"""Write the question about a group of marked pictures, and its answer as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from trainer.config.dense import DenseConfig
from trainer.data.dense.group import DenseGroup
from trainer.data.errors import RecordError
from trainer.data.formats.figures import KEYS
from trainer.data.objects import Kind, MarkedObject
from trainer.data.places import Canvas, PlaceError, Speech
from trainer.data.records import ChatRecord, DenseRecord, Message

GEOMETRY_KEYS: dict[Kind, str] = {kind: key for key, kind in KEYS.items()}


def conversation_about(
    group: DenseGroup,
    seen: Sequence[tuple[Canvas, Sequence[MarkedObject]]],
    speech: Speech,
    options: DenseConfig,
    notes: set[str],
) -> ChatRecord:
    """Return a group as a conversation: all images, the question, and the answer.

    Args:
        group: The records.
        seen: Each one's picture and what is marked in it, as they are after augmentation.
        speech: How the model names places.
        options: The questions and keys.
        notes: Takes up what had to be mended.

    Raises:
        RecordError: An object does not lie in its picture, or a summary is missing.

    """
    prompt = options.summary_prompt if group.summarised else options.prompt
    images: list[dict[str, str]] = [{"type": "image"} for _ in group.records]
    question: Message = {"role": "user", "content": [*images, {"type": "text", "text": prompt}]}
    system: list[Message] = (
        [{"role": "system", "content": options.system}] if options.system else []
    )
    entries: dict[str, Any] = {}
    for number, (record, (canvas, objects)) in enumerate(zip(group.records, seen, strict=True), 1):
        key = options.picture_key.replace("{n}", str(number))
        entries[key] = (
            _summary(record)
            if group.summarised
            else _entries(record, canvas, objects, speech, notes)
        )
    return ChatRecord(
        source=group.source,
        messages=(*system, question),
        images=tuple(record.image for record in group.records),
        response=json.dumps(entries, ensure_ascii=False),
        thinking=None,
        tools=None,
    )


def _summary(record: DenseRecord) -> str:
    if record.summary is None or not record.summary.strip():
        remedy = "add one, or set data.dense.summary_ratio=0"
        raise RecordError(record.source, "no `summary`, which its question asks for", remedy)
    return record.summary


def _entries(
    record: DenseRecord,
    canvas: Canvas,
    objects: Sequence[MarkedObject],
    speech: Speech,
    notes: set[str],
) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for number, marked in enumerate(objects):
        try:
            numbers = speech.numbers(marked.shape, canvas, notes)
        except PlaceError as error:
            what = f"object {number} ({marked.desc[:40]}): {error}"
            raise RecordError(record.source, what, "correct the coordinates") from error
        entries.append({GEOMETRY_KEYS[marked.shape.kind]: numbers, "desc": marked.desc})
    return entries
