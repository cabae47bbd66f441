"""Which GPUs there are, how busy they are, and which run holds which."""

from dataclasses import dataclass
from pathlib import Path

from trainer.run.codec import decode
from trainer.run.events import GpuSample, Telemetry
from trainer.run.layout import RunLayout, list_runs
from trainer.run.liveness import holder
from trainer.run.tail import Tail
from trainer.supervisor.gpu import Gpus, visible_from_environment

TAIL_BYTES = 2**16
FREE_SHARE = 0.05  # of memory that may be in use on a GPU that counts as free


@dataclass(frozen=True)
class GpuUse:
    """The GPUs of this machine; `note` says why there are none."""

    samples: tuple[GpuSample, ...]
    note: str
    holders: dict[str, str]  # UUID to the name of a run


def gpu_use(runs: Path) -> GpuUse:
    """Return who uses which GPU now."""
    gpus = Gpus(visible_from_environment())
    samples, note = gpus.sample(), gpus.note
    gpus.close()
    return GpuUse(samples, note, holders(runs) if samples else {})


def holders(runs: Path) -> dict[str, str]:
    """Return the running runs by the UUID of the GPU that each trains on: its first one."""
    found: dict[str, str] = {}
    for layout in list_runs(runs):
        if holder(layout).held and (uuid := _gpu_of(layout)):
            found[uuid] = layout.name
    return found


def _gpu_of(layout: RunLayout) -> str | None:
    try:
        start = max(0, layout.telemetry.stat().st_size - TAIL_BYTES)
    except OSError:
        return None
    for line in reversed(Tail(layout.telemetry, start=start).read()):
        try:
            event = decode(line)
        except ValueError:
            continue
        if isinstance(event, Telemetry):
            return event.gpus[0].uuid if event.gpus else None
    return None


def is_free(sample: GpuSample) -> bool | None:
    """Whether hardly anything is in the memory of a GPU; None: not known."""
    used, total = sample.memory_used_bytes, sample.memory_total_bytes
    return None if used is None or not total else used < FREE_SHARE * total
