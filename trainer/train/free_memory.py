"""How much memory this process can still take, also within a container."""

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
LIMITS = (  # of version 2 and of version 1: the limit, and what is taken
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def free_memory_bytes(cgroup: Path = CGROUP) -> int:
    """Return what the machine has available, or the container's limit leaves, if that is less."""
    available = psutil.virtual_memory().available
    for limit_name, taken_name in LIMITS:
        try:
            limit = int((cgroup / limit_name).read_text())
            taken = int((cgroup / taken_name).read_text())
        except (OSError, ValueError):  # no such version, or "max": no limit
            continue
        available = min(available, limit - taken)
    return max(0, available)
