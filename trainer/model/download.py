"""Bring a model from the hub to this machine."""

import errno
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import DryRunFileInfo, constants, snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import tqdm

from trainer.config.model import ModelConfig
from trainer.model.errors import ModelError
from trainer.run.events import AnyEvent, Notice, Phase

Notify = Callable[[AnyEvent], None]

WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]  # no pickles
PROGRESS_SECONDS = 1.0
_BYTES_BAR = "huggingface_hub.snapshot_download"  # bytes on disk, resumed ones included


def ensure_local(model: ModelConfig, notify: Notify) -> Path:
    """Return the folder of model.path, downloaded first if it is a hub id.

    Raises:
        ModelError: No such folder or model, no permission, no connection, or no room.

    """
    folder = Path(model.path)
    if folder.is_dir():
        return folder
    if folder.is_absolute():
        raise ModelError(f"{folder}: no such folder; set model.path to a checkpoint or a hub id")
    try:
        files = _snapshot(model, dry_run=True)
    except DryRunError as error:
        return _without_hub(model, error.__cause__ or error, notify)
    except (RevisionNotFoundError, HFValidationError) as error:
        raise explained(model, error) from error
    if not files:
        raise ModelError(f"model.path: {model.path} holds no safetensors; choose another model")
    wanted = [file for file in files if file.will_download]
    if not wanted:
        return _cached(model)
    check_room(wanted, cache_folder(model))
    return _download(model, sum(file.file_size or 0 for file in wanted), notify)


def cache_folder(model: ModelConfig) -> Path:
    """Return the folder that downloaded models are kept in."""
    return Path(model.cache_dir or constants.HF_HUB_CACHE).expanduser().absolute()


def check_room(files: list[DryRunFileInfo], cache: Path) -> None:
    """Refuse a download for which the disk of the cache has no room.

    Raises:
        ModelError: Fewer bytes are free than the files take.

    """
    needed = sum(file.file_size or 0 for file in files)
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise ModelError(
            f"{cache}: the model takes {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "make room or set model.cache_dir to a larger disk"
        )


def explained(model: ModelConfig, error: BaseException) -> ModelError:
    """Return the hub's error as one that says what to do."""
    where = f"model.path: {model.path}"
    if isinstance(error, GatedRepoError):
        return ModelError(
            f"{where} asks for permission; accept its terms at "
            f"{constants.ENDPOINT}/{model.path}, then `hf auth login`"
        )
    if isinstance(error, RevisionNotFoundError):
        return ModelError(f"{where} has no revision {model.revision}; mend model.revision")
    if isinstance(error, HFValidationError):
        return ModelError(f"{where} is neither a folder nor a hub id such as Qwen/Qwen3-VL-2B")
    if isinstance(error, RepositoryNotFoundError) or _status(error) in (401, 403):
        return ModelError(
            f"{where} is not on the hub, or private; mend the name, or `hf auth login`"
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return ModelError(f"{where}: no room in {cache_folder(model)}; set model.cache_dir")
    return ModelError(
        f"{where} is not on this machine and {constants.ENDPOINT} cannot be reached ({error}); "
        "connect, or copy the model here and set model.path to its folder"
    )


def _without_hub(model: ModelConfig, error: BaseException, notify: Notify) -> Path:
    """The complete copy in the cache, if there is one."""
    try:
        folder = _cached(model)
    except LocalEntryNotFoundError:
        raise explained(model, error) from error
    message = f"the hub gave no answer; {model.path} is taken from the cache, {folder}"
    notify(Notice(topic="download", message=message))
    return folder


def _cached(model: ModelConfig) -> Path:
    return Path(_snapshot(model, local_files_only=True))


def _download(model: ModelConfig, total: int, notify: Notify) -> Path:
    started = time.monotonic()
    phase = {"name": "download", "total": total, "unit": "bytes", "detail": model.path}
    notify(Phase(state="started", **phase))
    progress = _progress_bar(lambda done: notify(Phase(state="progress", done=done, **phase)))
    try:
        folder = _snapshot(model, tqdm_class=progress)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise explained(model, error) from error
    seconds = time.monotonic() - started
    notify(Phase(state="finished", done=total, seconds=seconds, **phase))
    return Path(folder)


def _snapshot(model: ModelConfig, **how: Any) -> Any:
    return snapshot_download(
        model.path,
        revision=model.revision,
        cache_dir=model.cache_dir,
        allow_patterns=WANTED_FILES,
        **how,
    )


def _progress_bar(report: Callable[[int], None]) -> type[tqdm]:
    """A bar that is never drawn: it reports the bytes of all files together now and then."""
    lock = threading.Lock()

    class Progress(tqdm):
        def __init__(self, *arguments: Any, name: str | None = None, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})
            self._counts_bytes = name == _BYTES_BAR
            self._done = 0.0
            self._reported = time.monotonic()

        def update(self, n: float | None = 1) -> None:
            with lock:  # several files load at once
                self._done += n or 0
                if self._counts_bytes and time.monotonic() - self._reported > PROGRESS_SECONDS:
                    self._reported = time.monotonic()
                    report(int(self._done))

    return Progress


def _status(error: BaseException) -> int | None:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None
