"""Publish, find, reject and prune checkpoints."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.run import durable
from trainer.run.disk import SPARE_BYTES
from trainer.run.events import AnyEvent, CheckpointPruned, CheckpointRejected, Notice
from trainer.run.layout import RunLayout, checkpoint_step
from trainer.run.manifest import (
    MANIFEST_NAME,
    DamagedCheckpoint,
    Manifest,
    hash_files,
    read_manifest,
    verify_checkpoint,
)

TEMPORARY_PREFIX = "tmp-"
REJECTED_PREFIX = "rejected-"


class NotEnoughSpace(OSError):
    """The disk has no room for another checkpoint."""


@dataclass(frozen=True)
class Published:
    """A checkpoint under its final name."""

    folder: Path
    manifest: Manifest
    seconds: float


def publish_checkpoint(
    layout: RunLayout,
    manifest: Manifest,
    write_files: Callable[[Path], None],
    expected_bytes: int,
) -> Published:
    """Write a checkpoint so that it appears whole or not at all.

    A valid checkpoint at the same step is kept. Nothing older is touched.

    Args:
        layout: The run.
        manifest: Step, attempt and origin; its files are filled in here.
        write_files: Writes everything but the manifest into the folder it is given.
        expected_bytes: Free space that is asked for before anything is written.

    Raises:
        OSError: It could not be written or made to last; the temporary folder is gone.

    """
    started = time.monotonic()
    target = layout.checkpoint(manifest.step)
    if (existing := _valid_checkpoint(target)) is not None:
        return Published(target, existing, time.monotonic() - started)
    layout.checkpoints.mkdir(exist_ok=True)
    _require_space(layout.checkpoints, expected_bytes)
    temporary = layout.checkpoints / f"{TEMPORARY_PREFIX}{manifest.step}-{os.getpid()}"
    try:
        temporary.mkdir()
        write_files(temporary)
        complete = replace(manifest, files=hash_files(temporary))
        durable.sync_tree(temporary)
        durable.replace_file(temporary / MANIFEST_NAME, complete.encode())
        if target.exists():
            _set_aside(target)
        durable.rename(temporary, target)
    except BaseException:
        durable.remove_tree(temporary)
        raise
    return Published(target, complete, time.monotonic() - started)


def _valid_checkpoint(folder: Path) -> Manifest | None:
    try:
        return verify_checkpoint(folder)
    except DamagedCheckpoint:
        return None


def _require_space(folder: Path, expected_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < expected_bytes + SPARE_BYTES:
        msg = (
            f"{folder}: {free / 2**20:.0f} MiB are free, the checkpoint needs about "
            f"{(expected_bytes + SPARE_BYTES) / 2**20:.0f} MiB; free some space"
        )
        raise NotEnoughSpace(msg)


def _set_aside(folder: Path) -> Path:
    """Rename a damaged checkpoint so that it is never taken again."""
    for number in range(1, 10_000):
        target = folder.with_name(f"{REJECTED_PREFIX}{folder.name}-{number}")
        if not target.exists():
            durable.rename(folder, target)
            return target
    msg = f"{folder}: too many rejected checkpoints; remove them"
    raise OSError(msg)


def newest_verified_checkpoint(
    layout: RunLayout, notify: Callable[[AnyEvent], object]
) -> tuple[Path, Manifest] | None:
    """Return the newest checkpoint whose manifest holds; damaged newer ones are set aside."""
    for step, folder in sorted(found_checkpoints(layout), reverse=True):
        try:
            manifest = verify_checkpoint(folder)
            if manifest.step == step:
                return folder, manifest
            reason = f"its manifest is of step {manifest.step}"
        except DamagedCheckpoint as error:
            reason = str(error)
        reject_checkpoint(layout, step, reason, notify)
    return None


def reject_checkpoint(
    layout: RunLayout, step: int, reason: str, notify: Callable[[AnyEvent], object]
) -> None:
    """Set a checkpoint aside and say why."""
    aside = _set_aside(layout.checkpoint(step))
    notify(CheckpointRejected(step=step, path=str(aside.relative_to(layout.root)), reason=reason))


def found_checkpoints(layout: RunLayout) -> Iterator[tuple[int, Path]]:
    """Yield step and folder of everything that is named like a checkpoint."""
    if layout.checkpoints.is_dir():
        for folder in layout.checkpoints.iterdir():
            step = checkpoint_step(folder)
            if step is not None and folder.is_dir():
                yield step, folder


def rejected_checkpoints(layout: RunLayout) -> list[Path]:
    """Return the folders of checkpoints that were set aside."""
    return sorted(layout.checkpoints.glob(f"{REJECTED_PREFIX}*"))


def remove_leftovers(layout: RunLayout, notify: Callable[[AnyEvent], object]) -> None:
    """Remove temporary folders of dead attempts and report what is not ours.

    The caller holds the run's lock, so no temporary folder belongs to a living process.
    """
    if not layout.checkpoints.is_dir():
        return
    for path in sorted(layout.checkpoints.iterdir()):
        if path.name.startswith(TEMPORARY_PREFIX) and path.is_dir():
            durable.remove_tree(path)
            notify(Notice(topic="leftover", message=f"removed the half-written {path.name}"))
        elif checkpoint_step(path) is None and not path.name.startswith(REJECTED_PREFIX):
            notify(Notice(topic="leftover", message=f"{path.name} is no checkpoint; ignored"))


def prune_checkpoints(
    layout: RunLayout,
    *,
    keep_last: int,
    best_step: int | None,
    notify: Callable[[AnyEvent], object],
) -> None:
    """Remove all but the newest `keep_last` checkpoints and the best one."""
    by_age = sorted(found_checkpoints(layout), reverse=True)
    for step, folder in by_age[keep_last:]:
        if step != best_step:
            _remove(folder)
            notify(CheckpointPruned(step=step, path=str(folder.relative_to(layout.root))))


def _remove(folder: Path) -> None:
    """Remove a checkpoint; a crash on the way leaves a temporary folder, not a damaged one."""
    doomed = folder.with_name(f"{TEMPORARY_PREFIX}pruned-{folder.name}")
    durable.rename(folder, doomed)
    durable.remove_tree(doomed)


def newest_checkpoint_bytes(layout: RunLayout) -> int | None:
    """Return the size of the newest readable checkpoint."""
    for _step, folder in sorted(found_checkpoints(layout), reverse=True):
        try:
            return read_manifest(folder).total_bytes
        except DamagedCheckpoint:
            continue
    return None
