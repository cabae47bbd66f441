"""The device a run would train on, and how much memory it has left."""

from dataclasses import dataclass

import psutil

from trainer.config.schema import RunConfig
from trainer.supervisor.gpu import Gpus, visible_from_environment


@dataclass(frozen=True, kw_only=True)
class Device:
    """Where a run would train."""

    name: str
    gpu: bool
    memory_bytes: int | None  # that it has
    free_bytes: int | None  # of them nobody holds
    note: str = ""  # why it is no GPU


def chosen_device(config: RunConfig) -> Device:
    """Return the first GPU that this process may use, or the CPU and why."""
    if config.model.device == "cpu":
        return _cpu("model.device is cpu")
    gpus = Gpus(visible_from_environment())
    samples, note = gpus.sample(), gpus.note
    gpus.close()
    if not samples:
        return _cpu(note)
    first = samples[0]
    total, used = first.memory_total_bytes, first.memory_used_bytes
    free = None if total is None or used is None else total - used
    return Device(name=first.name, gpu=True, memory_bytes=total, free_bytes=free)


def _cpu(note: str) -> Device:
    memory = psutil.virtual_memory()
    return Device(
        name="CPU", gpu=False, memory_bytes=memory.total, free_bytes=memory.available, note=note
    )
