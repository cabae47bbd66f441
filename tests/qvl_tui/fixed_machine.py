"""A machine with one GPU, and what a preflight tells there: pictures of the form stay the same."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from qvl_tui.actions import Outcome
from qvl_tui.widgets.form.gpu_use import GpuUse
from trainer.run.events import GpuSample

GPU = GpuSample(
    index=0,
    uuid="GPU-0",
    name="NVIDIA GeForce RTX 3060",
    utilization=0.02,
    memory_used_bytes=300_000_000,
    memory_total_bytes=12_884_901_888,
)
FORECAST = {
    "train": {
        "records": 4_460,
        "looked_at": 500,
        "problems": [
            {"file": "/data/train.jsonl", "line": 230, "reason": "image 1: truncated JPEG"}
        ],
        "problem_count": 1,
        "remote_images": 0,
        "visual_tokens": [96, 512, 1_024],
    },
    "validation": {
        "records": 240,
        "looked_at": 240,
        "problems": [],
        "problem_count": 0,
        "remote_images": 0,
        "visual_tokens": [112, 504, 1_010],
    },
    "steps_per_epoch": 1_115,
    "total_steps": 3_345,
    "seconds_per_step": 2.4,
    "seconds": 8_028.0,
    "pace_of_run": "shapes-rank-64",
    "by_shapes": {"why_unknown": "the peak of RTX 3060 is not known"},
    "device": {
        "name": "RTX 3060",
        "memory_bytes": 12_884_901_888,
        "free_bytes": 12_584_901_888,
        "note": "",
    },
    "memory": {
        "weights": 1_600_000_000,
        "training": 180_000_000,
        "activations": 5_900_000_000,
        "head": 1_200_000_000,
        "overhead": 900_000_000,
    },
    "memory_total": 9_780_000_000,
    "fits": True,
    "to_lower": "",
    "refusals": [],
    "disk": {"wanted_bytes": 260_000_000, "free_bytes": 212_000_000_000},
}


@contextmanager
def fixed_machine() -> Iterator[None]:
    """Let the form find that machine in place of this one; nothing else changes."""

    async def preflight(*_arguments: str, **_options: Any) -> Outcome:
        return Outcome(0, FORECAST, "")

    def use(_runs: Path) -> GpuUse:
        return GpuUse((GPU,), "", {})

    with ExitStack() as stack:
        stack.enter_context(patch("qvl_tui.screens.new_run.gpu_use", use))
        stack.enter_context(patch("qvl_tui.widgets.form.gpu_picker.gpu_use", use))
        stack.enter_context(patch("qvl_tui.widgets.form.card.run_qvl", preflight))
        yield


def files_of_a_run(folder: Path) -> tuple[str, ...]:
    """Make a model's folder and data files; return the options that name them."""
    model, data = folder / "models" / "Qwen3-VL-2B-Instruct", folder / "data"
    model.mkdir(parents=True, exist_ok=True)
    data.mkdir(exist_ok=True)
    (model / "config.json").write_text("{}")
    for name in ("train", "validation"):
        (data / f"{name}.jsonl").write_text("{}\n")
    return (
        f"model.path={model}",
        f"data.train={data / 'train.jsonl'}",
        f"data.validation={data / 'validation.jsonl'}",
    )
