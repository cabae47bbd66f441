"""The most memory a process has held so far."""

from pathlib import Path

import psutil

from trainer.bench.gpu import gpu_peak_bytes

RESIDENT_PEAK = "VmHWM:"


def peak_memory_bytes() -> dict[str, int | None]:
    """Return the peaks of this process, of it with its children, and of the GPU (None: unused).

    That with the children is the sum of each one's own peak.
    """
    children = psutil.Process().children(recursive=True)
    own = resident_peak_bytes("self")
    together = own + sum(resident_peak_bytes(child.pid) for child in children)
    return {"process": own, "with_children": together, "gpu": gpu_peak_bytes()}


def resident_peak_bytes(process: int | str) -> int:
    """Return the peak of a process's resident memory; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in lines:
        if line.startswith(RESIDENT_PEAK):
            return int(line.split()[1]) * 1024
    return 0  # it is ending and holds nothing any more
