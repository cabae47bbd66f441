"""Train models of the real shapes on a GPU, with random weights, as `qvl train` does.

python -m tests.benchmarks.real_shapes [SIZE:METHOD ...] [--steps 20] [--folder DIR] [--with K=V]

Sizes are 2b, 4b and 8b, methods `lora` (bf16 base) and `nf4`. Pictures have 1,024 visual tokens,
answers about 60 tokens; LoRA rank 16 on the language model, tower frozen, batch 2 x 2, workers on.
Printed, over the last half of the steps: the median second of a step, samples and tokens a second,
where the time goes, MFU, and the peak memory. A checkpoint is built once per size in DIR. Options
compare ways to attend: `--with batch.packing=pack`, `--with model.attention=eager`.

Without a GPU the same is done with 138m, and pictures of 256 visual tokens.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import cast

import torch

from trainer.bench.configure import PIXELS
from trainer.bench.pictures import write_pictures
from trainer.demo.model_shapes import Size
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.run.events import Step
from trainer.run.layout import RunLayout
from trainer.run.tail import EventTail

QVL = (sys.executable, "-c", "from qvl_tui.cli import main; main()")
RECORDS = 96
WANTED = {
    "cuda": ("2b:lora", "2b:nf4", "8b:lora", "8b:nf4"),
    "cpu": ("138m:lora", "138m:nf4"),
}
WORKERS = {"cuda": 6, "cpu": 2}
ANSWER_TOKENS = 60
METHODS = {"lora": "none", "nf4": "nf4"}


def train(name: str, folder: Path, data: Path, options: list[str]) -> list[Step]:
    """Train in a process of its own and return the steps."""
    command = [
        *(*QVL, "train", "balanced", "--foreground", "--runs-dir", str(folder), "--name", name),
        *(f"data.train={data}", "batch.size=2", "batch.accumulation=2", "optimizer.name=adamw"),
        *("checkpoint.final_zip=false", *options),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    layout = RunLayout(folder / name)
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}\n{layout.console.read_text()[-4000:]}")
    return [event for event in EventTail(layout.events).read() if isinstance(event, Step)]


def report(label: str, steps: list[Step]) -> None:
    """Print what the last half of the steps took."""
    late = steps[len(steps) // 2 :]
    seconds = sum(step.seconds for step in late)
    peak = max(step.peak_memory_bytes or 0 for step in late)
    used = sum((step.mfu or 0.0) * step.seconds for step in late) / seconds
    mfu = "MFU unknown" if late[0].mfu is None else f"MFU {used:.1%}"
    print(
        f"{label}: {median(step.seconds for step in late):.3f} s a step, "
        f"{sum(step.samples for step in late) / seconds:.2f} samples/s, "
        f"{sum(step.tokens for step in late) / seconds:,.0f} tokens/s, "
        f"data {sum(step.data_seconds for step in late) / seconds:.1%}, "
        f"optimizer {sum(step.optimizer_seconds for step in late) / seconds:.1%}, "
        f"{mfu}, peak {peak / 2**30:.1f} GiB, "
        f"loss {steps[0].loss:.2f} to {steps[-1].loss:.2f}",
        flush=True,
    )


def main() -> None:
    """Build, train and print, one combination after the other."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser()
    parser.add_argument("wanted", nargs="*", default=WANTED[device])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--with", dest="options", action="append", default=[])
    arguments = parser.parse_args()
    machine = torch.cuda.get_device_name(0) if device == "cuda" else "CPU"
    print(f"{machine}, torch {torch.__version__}", *arguments.options, flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        data = write_pictures(
            folder / "train.jsonl",
            records=RECORDS,
            pixels=PIXELS[device],
            answer_tokens=ANSWER_TOKENS,
        )
        for wanted in arguments.wanted:
            size, _, method = wanted.partition(":")
            model = folder / size
            if not model.exists():
                build_benchmark_checkpoint(
                    model, cast(Size, size), dtype=torch.bfloat16, device=device
                )
                if device == "cuda":
                    torch.cuda.empty_cache()
            options = [
                *(f"model.path={model}", f"model.quantization={METHODS[method]}"),
                *(f"data.workers={WORKERS[device]}", f"training.max_steps={arguments.steps}"),
                *arguments.options,
            ]
            report(wanted, train(f"{size}-{method}", folder, data, options))


if __name__ == "__main__":
    main()
