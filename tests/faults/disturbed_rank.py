"""Make forward or backward fail at chosen steps: in this process, or in a rank of its own.

Usage: disturbed_rank.py RUN_DIRECTORY, told by the environment's DISTURBED:
`RANK FAULT STEP...[, RANK FAULT STEP...]`.
"""

import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

import torch

import trainer.train.rank as rank
from trainer.train.progress import Progress
from trainer.train.setup import Setup

Fault = Literal["nan_loss", "infinite_gradient", "memory_forward", "memory_backward", "gpu_lost"]
SILENCE_SECONDS = 2.5  # of a GPU that is lost, before CUDA says so
CUDA_SAYS = (
    "CUDA error: unspecified launch failure\n"
    "CUDA kernel errors might be asynchronously reported at some other API call"
)


def disturb(
    setup: Setup, progress: Progress, fault: Fault, steps: Collection[int], *, micro_batch: int = 0
) -> None:
    """Let the real forward or backward of these optimizer steps go wrong.

    What raises does so at a micro-batch that is counted from 0; numbers are wrong in all of them.
    """
    seen: list[int] = []  # the steps of the micro-batches so far, those without a gradient left out

    def is_due() -> bool:
        return progress.step + 1 in steps and setup.model.training

    def after_forward(_module: Any, _inputs: Any, hidden: torch.Tensor) -> torch.Tensor | None:
        if not is_due():
            return None
        seen.append(progress.step + 1)
        if fault == "nan_loss":
            return hidden * torch.nan
        if seen.count(progress.step + 1) == micro_batch + 1:
            if fault != "memory_backward":
                fail(fault)
            hidden.register_hook(lambda _: fail(fault))
        return None

    if fault == "infinite_gradient":
        weight = next(it for it in setup.model.parameters() if it.requires_grad)
        weight.register_hook(lambda it: torch.full_like(it, torch.inf) if is_due() else it)
    else:
        last_norm(setup.model).register_forward_hook(after_forward)


def last_norm(model: torch.nn.Module) -> torch.nn.Module:
    """Return the module whose output the head is given."""
    (norm,) = (it for name, it in model.named_modules() if name.endswith("language_model.norm"))
    return norm


def fail(fault: Fault) -> NoReturn:
    """Raise what torch raises."""
    if fault == "gpu_lost":
        time.sleep(SILENCE_SECONDS)
        raise torch.AcceleratorError(CUDA_SAYS)
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def main() -> int:
    """Train the run named on the command line."""
    prepare = rank.prepare

    def disturbed(*arguments: Any) -> Any:
        setup, progress = prepare(*arguments)
        for told in os.environ["DISTURBED"].split(","):
            which, fault, *steps = told.split()
            if os.environ["RANK"] == which:
                disturb(setup, progress, cast(Fault, fault), {int(it) for it in steps})
        return setup, progress

    rank.prepare = disturbed
    return rank.main(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
