"""Build a checkpoint of random weights: `python -m trainer.bench.model ...`."""

import subprocess
import sys
from pathlib import Path
from typing import Literal, cast

from trainer.bench.errors import BenchFailed
from trainer.demo.model_shapes import Size
from trainer.supervisor.python import python_environment


def build_model(
    folder: Path, size: Size, dtype: Literal["bf16", "fp32"], device: Literal["cpu", "cuda"]
) -> None:
    """Build it in a process of its own, whose memory is free again afterwards.

    Raises:
        BenchFailed: It could not be built.

    """
    command = [sys.executable, "-P", "-m", __name__, str(folder), size, dtype, device]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=python_environment()
    )
    if done.returncode:
        raise BenchFailed(f"{folder}: the {size} model could not be built: {done.stderr[-2000:]}")


def main(folder: str, size: str, dtype: str, device: str) -> None:
    """Build it in this process; arguments as those of `build_model`."""
    import torch

    from trainer.demo.sizes import build_benchmark_checkpoint

    precision = {"bf16": torch.bfloat16, "fp32": torch.float32}[dtype]
    build_benchmark_checkpoint(Path(folder), cast(Size, size), dtype=precision, device=device)


if __name__ == "__main__":
    main(*sys.argv[1:])
