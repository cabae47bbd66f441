"""Save what the loop has: checkpoints on the way and the final result."""

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import save_file

from trainer.config.differences import decisive_values
from trainer.model.parts import trainable_parameters
from trainer.model.weights import is_adapter, save_weights
from trainer.model.weights import save_final as save_final_weights
from trainer.run import durable
from trainer.run.events import CheckpointFailed, CheckpointPublished, FinalWritten, Phase
from trainer.run.manifest import Manifest
from trainer.train.checkpoint import (
    Published,
    newest_checkpoint_bytes,
    prune_checkpoints,
    publish_checkpoint,
)
from trainer.train.final import is_partial, write_final
from trainer.train.optimizer import optimizer_tensors
from trainer.train.progress import Progress, encode_progress
from trainer.train.setup import Setup
from trainer.train.side_files import write_side_file
from trainer.train.skipped import write_data_record
from trainer.train.versions import package_versions

OPTIMIZER_NAME = "optimizer.safetensors"
STATE_NAME = "state.json"
Reason = Literal["schedule", "command", "stop", "end", "signal", "orphan"]


def save_checkpoint(
    setup: Setup, progress: Progress, reason: Reason, *, required: bool = False
) -> None:
    """Publish a checkpoint of this step and prune old ones.

    Without `required` a failure is an event and training goes on.

    Raises:
        OSError: A required checkpoint could not be written.
        RanksApart: The ranks do not hold the same weights, so none of them can be trusted.

    """
    if not progress.step:
        return  # there is nothing yet that starting again would not give
    compare_ranks(setup)
    if not setup.ranks.is_first:
        return  # the others wait where they next have something to tell each other
    write, layout = setup.recorder.write, setup.run.layout
    write(Phase(name="save", state="started", unit="bytes"))
    try:
        setup.recorder.sync()
        published = publish_checkpoint(
            layout,
            _manifest(setup, progress),
            partial(_write_files, setup, progress),
            newest_checkpoint_bytes(layout) or _estimated_bytes(setup),
        )
    except OSError as error:
        write(CheckpointFailed(step=progress.step, reason=str(error)))
        if required:
            raise
        return
    write(_published_event(setup, progress, published, reason))
    keep = setup.config.checkpoint
    best = progress.best_step if keep.keep_best else None
    prune_checkpoints(layout, keep_last=keep.keep_last, best_step=best, notify=write)
    write_side_file(setup, "data.json", partial(write_data_record, setup))
    write(Phase(name="save", state="finished", unit="bytes", seconds=published.seconds))


@contextmanager
def disk_errors() -> Generator[None]:
    """Raise what safetensors makes of a full or broken disk as the OSError it is."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        words = f"weights could not be written: {error}"
        raise (OSError(int(number[1]), words) if number else OSError(words)) from error


class RanksApart(RuntimeError):
    """The ranks of a run hold different weights."""


def compare_ranks(setup: Setup) -> None:
    """Raise RanksApart unless all ranks hold the same trained weights, bit for bit."""
    if setup.ranks.count == 1:
        return
    digest = hashlib.sha256()
    for weight in trainable_parameters(setup.model).values():
        digest.update(weight.detach().cpu().numpy().data)
    digests = setup.ranks.gather(digest.hexdigest())
    apart = [rank for rank, found in enumerate(digests) if found != digests[0]]
    if apart:
        msg = (
            f"ranks {', '.join(map(str, apart))} hold other weights than rank 0, so the hardware "
            "or a library computes differently there; resume from the last checkpoint without it"
        )
        raise RanksApart(msg)


def _manifest(setup: Setup, progress: Progress) -> Manifest:
    return Manifest(
        step=progress.step,
        attempt=setup.run.attempt,
        data_sha256=setup.data_sha256,
        versions=package_versions(),
        files={},
        validation_loss=progress.last_evaluation["loss"] if progress.evaluated else None,
        options=decisive_values(setup.config),
    )


def _write_files(setup: Setup, progress: Progress, folder: Path) -> None:
    tensors, steps = optimizer_tensors(setup.model, setup.optimizer)
    with disk_errors():
        save_weights(setup.model, folder)
        save_file(tensors, folder / OPTIMIZER_NAME)
    (folder / STATE_NAME).write_bytes(encode_progress(progress, steps))


def _estimated_bytes(setup: Setup) -> int:
    """Return the size of a first checkpoint: trained weights and two fp32 moments at most."""
    trained = sum(p.numel() for p in setup.model.parameters() if p.requires_grad)
    everything = sum(p.numel() for p in setup.model.parameters())
    weights = 4 * trained if is_adapter(setup.model) else 4 * everything
    return weights + 8 * trained


def _published_event(
    setup: Setup, progress: Progress, published: Published, reason: Reason
) -> CheckpointPublished:
    return CheckpointPublished(
        step=progress.step,
        path=str(published.folder.relative_to(setup.run.layout.root)),
        bytes=published.manifest.total_bytes,
        seconds=published.seconds,
        reason=reason,
        best=progress.best_step == progress.step,
        validation_loss=published.manifest.validation_loss,
    )


def save_final(setup: Setup, progress: Progress) -> None:
    """Write final/ and final.zip from the model as it is now."""
    if not progress.step or not setup.ranks.is_first:
        return
    write, layout = setup.recorder.write, setup.run.layout
    write(Phase(name="final", state="started", unit="bytes"))

    def write_files(folder: Path) -> None:
        with disk_errors():
            save_final_weights(setup.model, folder, setup.forward.pixel_dtype)
        setup.forward.preprocessing.save(folder)

    adapter = is_adapter(setup.model)
    size = write_final(layout, setup.config, progress, write_files, adapter)
    durable.sync_directory(layout.root)
    write(FinalWritten(step=progress.step, path="final", partial=is_partial(progress), bytes=size))
    write(Phase(name="final", state="finished", unit="bytes"))
