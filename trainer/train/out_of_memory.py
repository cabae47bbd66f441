"""Say where memory ran out, over which records, and what to lower."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from trainer.data.batch import Batch
from trainer.data.errors import named

ADVICE = (
    "lower evaluation.batch_size where it ran out in validation, else set "
    "model.activation_checkpointing=all model.recompute_every=1, and resume; where that does not "
    "do, begin a new run with a lower batch.size and batch.accumulation raised as much "
    "(batch.tokens where batch.packing is on), data.max_length=2048, then 1024, or "
    "model.quantization=nf4"
)


@contextmanager
def memory_for(what: str) -> Generator[None]:
    """Note at a lack of GPU memory what was being done; the notes of inner ones come first.

    Raises:
        torch.OutOfMemoryError: Within, with the note; whatever was computed is not to be used.

    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        error.add_note(what)
        raise


def described(batch: Batch) -> str:
    """Return how large a batch is and which records it holds, for people."""
    size = f"{batch.tokens} tokens and {batch.images} images"
    return f"{size}, records {named(batch.sources)}"


def why_out_of_memory(error: torch.OutOfMemoryError) -> str:
    """Return where it happened, or what the device said, and what to lower."""
    notes = ", ".join(getattr(error, "__notes__", ()))
    where = notes or str(error).partition("\n")[0]
    return f"out of GPU memory {where}; {ADVICE}"
