"""Write the records as a data set of other trainers, with our labels beside them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, List, Value

from trainer.bench.errors import BenchFailed
from trainer.bench.files import Windows
from trainer.data.build import BatchBuilder
from trainer.data.chat import conversation
from trainer.data.encoded import read_encoded
from trainer.data.records import ChatRecord

FEATURES = Features(
    {
        "messages": List(
            {
                "role": Value("string"),
                "content": List({"type": Value("string"), "text": Value("string")}),
            }
        ),
        "images": List(Image()),  # encoded; decoded when a row is read
        "qvl_ids": List(Value("int64")),
        "qvl_labels": List(Value("int64")),
    }
)


def refuse_uneven_steps(windows: Windows, samples_per_step: int) -> None:
    """Raise BenchFailed where a step has fewer samples, as at the end of an epoch.

    Others count through the epochs and would put samples of the next step into it.
    """
    for number, window in enumerate(windows, start=1):
        if len(window) != samples_per_step:
            raise BenchFailed(
                f"--vs: step {number} has {len(window)} samples, others {samples_per_step}; set "
                f"data.train_samples to a multiple of {samples_per_step}, or measure fewer steps",
                code=2,
            )


def comparable_rows(builder: BatchBuilder, samples: Iterable[int], folder: Path) -> Dataset:
    """Return the samples as rows, which lie in files in `folder`; in the order of `samples`.

    Raises:
        BenchFailed: A record is no conversation, and others have nothing like it.

    """
    return Dataset.from_generator(
        lambda: _rows(builder, samples),
        features=FEATURES,
        cache_dir=str(folder),
    )


def _rows(builder: BatchBuilder, samples: Iterable[int]) -> Iterator[dict[str, Any]]:
    options = builder.encoder.options
    for number in samples:
        record = the_conversation(builder, number)
        sample = builder.encoder.encode(record)
        folder = Path(record.source.file).parent
        policy = builder.encoder.image_policy
        encoded = [read_encoded(image, folder, policy) for image in record.images]
        yield {
            "messages": [_turn(turn) for turn in conversation(record, options.thinking)],
            "images": [{"bytes": image, "path": None} for image in encoded],
            "qvl_ids": sample.input_ids.tolist(),
            "qvl_labels": sample.labels.tolist(),
        }


def the_conversation(builder: BatchBuilder, number: int) -> ChatRecord:
    """Return the one conversation that a training sample is made of.

    Raises:
        BenchFailed: It is made of something else.

    """
    split = builder.splits["train"]
    members = split.grouping.members(number, 0)
    record = split.records[members[0]]
    if len(members) > 1 or not isinstance(record, ChatRecord) or record.tools or record.marks:
        raise BenchFailed(
            f"{record.source}: only plain conversations can be compared, without tools, marks or "
            "dense labels; leave out --vs, or convert the data",
            code=2,
        )
    return record


def _turn(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {
        "role": message["role"],
        "content": [{"type": part["type"], "text": part.get("text")} for part in parts],
    }
