"""What a measured process does with its GPU, if it uses one; torch is never loaded for it."""

import sys
from typing import Any


def _cuda() -> Any:
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def finish_gpu_work() -> None:
    """Wait until everything that was asked of the GPU is done."""
    if (cuda := _cuda()) is not None:
        cuda.synchronize()


def free_unused_gpu_memory() -> None:
    """Give back what torch only keeps for later: others need it while this process waits."""
    if (cuda := _cuda()) is not None:
        cuda.empty_cache()


def gpu_peak_bytes() -> int | None:
    """Return the most memory that tensors of this process have taken; None: no GPU is used."""
    cuda = _cuda()
    return None if cuda is None else cuda.max_memory_allocated()
