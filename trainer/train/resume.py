"""Find the checkpoint to go on from and give its state back to model and optimizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from trainer.config.schema import RunConfig
from trainer.model.weights import load_weights
from trainer.run.events import AnyEvent, Notice
from trainer.run.layout import RunLayout
from trainer.run.manifest import Manifest
from trainer.train.checkpoint import (
    found_checkpoints,
    newest_verified_checkpoint,
    reject_checkpoint,
    remove_leftovers,
)
from trainer.train.fingerprint import fingerprint
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


def find_starting_point(
    layout: RunLayout, config: RunConfig, data_sha256: str, notify: Notify
) -> StartingPoint:
    """Return the newest checkpoint of this run that can be trusted.

    Damaged checkpoints, and those of another run, are set aside with an event each.
    """
    remove_leftovers(layout, notify)
    while (found := newest_verified_checkpoint(layout, notify)) is not None:
        folder, manifest = found
        try:
            start = _read(folder, manifest, fingerprint(config), data_sha256)
        except (ValueError, OSError, SafetensorError) as error:
            reject_checkpoint(layout, manifest.step, str(error), notify)
            continue
        if changes := version_changes(manifest.versions, package_versions()):
            message = f"versions changed since {folder.name}: {', '.join(changes)}"
            notify(Notice(topic="versions", message=message, step=manifest.step))
        return start
    return StartingPoint(None, Progress(), {}, {})


def earlier_threads(layout: RunLayout) -> int:
    """Return the thread count of earlier attempts, the same in all checkpoints; 0: unknown."""
    for _step, folder in sorted(found_checkpoints(layout), reverse=True):
        try:
            return decode_progress((folder / STATE_NAME).read_bytes())[0].threads
        except (OSError, ValueError):
            continue  # damaged; finding the starting point says so
    return 0


def _read(folder: Path, manifest: Manifest, expected: str, data_sha256: str) -> StartingPoint:
    if manifest.fingerprint != expected:
        msg = "it belongs to a run with another configuration"
        raise ValueError(msg)
    if manifest.data_sha256 != data_sha256:
        msg = "it was trained on other data"
        raise ValueError(msg)
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
