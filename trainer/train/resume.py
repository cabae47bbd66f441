"""Find the checkpoint to go on from and give its state back to model and optimizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from trainer.config.differences import decisive_changes
from trainer.config.schema import RunConfig
from trainer.model.weights import load_weights
from trainer.run.events import AnyEvent, Notice
from trainer.run.layout import RunLayout
from trainer.run.manifest import Manifest
from trainer.train.checkpoint import (
    found_checkpoints,
    newest_verified_checkpoint,
    reject_checkpoint,
    rejected_checkpoints,
    remove_leftovers,
)
from trainer.train.optimizer import restore_optimizer
from trainer.train.progress import Progress, decode_progress
from trainer.train.save import OPTIMIZER_NAME, STATE_NAME
from trainer.train.versions import package_versions, version_changes

Notify = Callable[[AnyEvent], object]


@dataclass(frozen=True)
class StartingPoint:
    """A verified checkpoint with its counters, or the very beginning."""

    folder: Path | None
    progress: Progress
    optimizer_steps: dict[str, float]
    optimizer_tensors: dict[str, torch.Tensor]


class CheckpointRefused(RuntimeError):
    """The run has checkpoints, but none it may go on from."""


def find_starting_point(
    layout: RunLayout, config: RunConfig, data_sha256: str, notify: Notify
) -> StartingPoint:
    """Return the newest checkpoint of this run that can be trusted, else the very beginning.

    Damaged checkpoints are set aside with an event each.

    Raises:
        CheckpointRefused: The run was trained further, but not with this configuration or data,
            or all its checkpoints are damaged. Beginning anew is for people to decide.

    """
    remove_leftovers(layout, notify)
    while (found := newest_verified_checkpoint(layout, notify)) is not None:
        folder, manifest = found
        _refuse_foreign(folder, manifest, config, data_sha256)
        try:
            start = _read(folder, manifest)
        except (ValueError, OSError, SafetensorError) as error:
            reject_checkpoint(layout, manifest.step, str(error), notify)
            continue
        if changes := version_changes(manifest.versions, package_versions()):
            message = f"versions changed since {folder.name}: {', '.join(changes)}"
            notify(Notice(topic="versions", message=message, step=manifest.step))
        return start
    if rejected := rejected_checkpoints(layout):
        names = ", ".join(path.name for path in rejected)
        raise CheckpointRefused(
            f"{layout.checkpoints}: no checkpoint is left to go on from; set aside are {names}; "
            "restore one from a copy, or remove them all to begin again at step 0"
        )
    return StartingPoint(None, Progress(), {}, {})


def earlier_threads(layout: RunLayout) -> int:
    """Return the thread count of earlier attempts, the same in all checkpoints; 0: unknown."""
    for _step, folder in sorted(found_checkpoints(layout), reverse=True):
        try:
            return decode_progress((folder / STATE_NAME).read_bytes())[0].threads
        except (OSError, ValueError):
            continue  # damaged; finding the starting point says so
    return 0


def _refuse_foreign(folder: Path, manifest: Manifest, config: RunConfig, data_sha256: str) -> None:
    options = manifest.options
    if options is not None and (changes := decisive_changes(options, config)):
        raise CheckpointRefused(
            f"{folder}: was trained with another configuration ({'; '.join(changes)}), so the same "
            "numbers cannot go on; undo the change in config.yaml, or start a new run"
        )
    if manifest.data_sha256 != data_sha256:
        raise CheckpointRefused(
            f"{folder}: was trained on other data; restore the files, or start a new run"
        )


def _read(folder: Path, manifest: Manifest) -> StartingPoint:
    progress, optimizer_steps = decode_progress((folder / STATE_NAME).read_bytes())
    if progress.step != manifest.step:
        msg = f"state.json is of step {progress.step}, the manifest of step {manifest.step}"
        raise ValueError(msg)
    return StartingPoint(folder, progress, optimizer_steps, load_file(folder / OPTIMIZER_NAME))


def restore(
    start: StartingPoint, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Progress:
    """Give weights and optimizer state back and return the counters.

    Raises:
        ValueError: The checkpoint does not fit the model.

    """
    if start.folder is not None:
        load_weights(model, start.folder)
        restore_optimizer(model, optimizer, start.optimizer_tensors, start.optimizer_steps)
    return start.progress
