"""A trainer process whose first trained weight gets a gradient of NaN on rank 1, at one step."""

import os
import sys
from pathlib import Path
from typing import Any

import torch

import trainer.train.rank as rank

STEP = 2


def main() -> int:
    """Train the run named on the command line."""
    prepare = rank.prepare

    def poisoned(*arguments: Any) -> Any:
        setup, progress = prepare(*arguments)
        weight = next(p for p in setup.model.parameters() if p.requires_grad)
        if os.environ["RANK"] == "1":
            weight.register_hook(
                lambda it: torch.full_like(it, torch.nan) if progress.step + 1 == STEP else it
            )
        return setup, progress

    rank.prepare = poisoned
    return rank.main(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
