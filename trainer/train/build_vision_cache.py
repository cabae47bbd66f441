"""Build the vision cache that a configuration asks for."""

import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from trainer.config.schema import RunConfig
from trainer.data.disk_features import DiskFeatures
from trainer.data.feature_store import FeatureStore
from trainer.data.index_cache import default_cache_folder
from trainer.data.memory_features import MemoryFeatures
from trainer.data.preprocessing import Preprocessing
from trainer.model.body import base_of
from trainer.model.load import DTYPES
from trainer.model.tower import FrozenTower
from trainer.run.events import Notice
from trainer.train.cache_choice import CacheChoice
from trainer.train.free_memory import free_memory_bytes
from trainer.train.vision_cache import TOPIC, VisionCache

FOLDER = "features"  # in the cache folder

Notify = Callable[[Notice], object]


@dataclass(frozen=True)
class Workload:
    """How often pictures come by."""

    samples: int  # of the data set, over both splits
    epochs: float  # of the whole run
    ranks: int  # that share a host's memory


def build_vision_cache(
    config: RunConfig,
    model: nn.Module,
    preprocessing: Preprocessing,
    workload: Workload,
    notify: Notify,
) -> VisionCache | None:
    """Return the cache; None where the tower runs inside the model's forward.

    Which of both it is follows from the configuration alone, for it decides the last bits of the
    numbers. Where features are kept decides nothing but the speed.
    """
    asked = config.model.vision_cache
    if asked == "off":
        return None
    if not config.pictures_stay_the_same:
        _say(notify, f"cannot keep what the tower makes of pictures: {_what_changes(config)}")
        return None
    tower = FrozenTower(model, DTYPES[config.model.dtype])
    limit = config.model.vision_cache_bytes

    def open_disk() -> DiskFeatures:
        root = Path(config.data.cache_dir or default_cache_folder()).expanduser() / FOLDER
        return DiskFeatures(root, tower_fingerprint(model, tower, preprocessing), limit)

    store, choice = FeatureStore(None, None), None
    if asked == "disk":
        store = _on_disk(open_disk, notify)
    elif asked == "memory" or workload.epochs > 1:
        memory = free_memory_bytes() // 2 // workload.ranks if limit is None else limit
        store = FeatureStore(MemoryFeatures(memory), None)
        choice = CacheChoice(workload.samples, open_disk) if asked == "auto" else None
    else:
        _say(notify, "nothing is kept: in one epoch every picture is seen once")
    return VisionCache(tower, store, preprocessing, notify, choice)


def _what_changes(config: RunConfig) -> str:
    trained = config.tune.vision != "frozen"
    return "it is trained" if trained else "augmentation changes them in every epoch"


def _on_disk(open_disk: Callable[[], DiskFeatures], notify: Notify) -> FeatureStore:
    try:
        disk = open_disk()
    except OSError as error:
        _say(notify, f"nothing is kept: {error}; make room or set data.cache_dir")
        return FeatureStore(None, None)
    if found := len(disk):
        _say(notify, f"{found:,} images of earlier runs are in {disk.folder}")
    return FeatureStore(None, disk)


def _say(notify: Notify, message: str) -> None:
    notify(Notice(topic=TOPIC, message=message))


def tower_fingerprint(model: nn.Module, tower: FrozenTower, preprocessing: Preprocessing) -> str:
    """Return a hash of all that decides the features of an image besides its bytes."""
    digest = hashlib.sha256()
    visual = base_of(model).model.visual
    device = next(visual.parameters()).device
    described = {
        "merged": tower.merged,
        "dtype": str(tower.dtype),
        "attention": visual.config._attn_implementation,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "jpeg_draft": preprocessing.options.jpeg_draft,
        "image_processor": preprocessing.image_processor.to_dict(),
        "versions": [
            importlib.metadata.version(package) for package in ("torch", "transformers", "pillow")
        ],
        "tower": visual.config.to_dict(),
    }
    digest.update(json.dumps(described, sort_keys=True, default=str).encode())
    for name, weight in tower.weights():
        digest.update(f"\0{name} {weight.dtype} {tuple(weight.shape)}\0".encode())
        values = weight.detach().cpu().contiguous().view(-1).view(torch.uint8)
        digest.update(memoryview(values.numpy()))  # pyright: ignore[reportArgumentType]
    return digest.hexdigest()
