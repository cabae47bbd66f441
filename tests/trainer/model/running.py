"""Run real batches through a model that is prepared for training."""

from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from trainer.config.load import load_config
from trainer.data.batch import Batch, Window
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.samples import collate
from trainer.model.load import load_trainable
from trainer.train.window import Forward, accumulate_gradients

FULL = ("tune.vision=full", "tune.aligner=full", "tune.language=full")


def forward_of(checkpoint: Path, data: Path, *options: str) -> Forward:
    fixed = (f"model.path={checkpoint}", f"data.train={data}", "model.quantization=none")
    common = (f"data.cache_dir={data.parent}", "model.dtype=fp32", "model.device=cpu")
    config = load_config("balanced", [*fixed, *common, *options])
    on_cpu = config.model.device == "cpu"
    device = torch.device("cpu" if on_cpu else "cuda")
    mixed = "bf16" if config.model.dtype == "bf16" else "no"
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=mixed)
    model = load_trainable(config, device, lambda _event: None)
    return Forward(model, Preprocessing.load(config.model, config.data), accelerator, 0)


def singles_of(preprocessing: Preprocessing, data: Path) -> list[Batch]:
    options = preprocessing.options
    records = Records.of(Dataset((index_file(data, cache_dir=data.parent),)), options)
    samples = [preprocessing.encode(records[number]) for number in range(len(records))]
    return [Batch.from_arrays(collate([it], [], preprocessing.pad_id)) for it in samples]


def trained(forward: Forward, *batches: Batch) -> tuple[float | None, dict[str, Tensor]]:
    """Return the loss over batches and the gradient of every weight."""
    loss = accumulate_gradients(forward, Window.of(0, 0, batches)).mean("loss")
    named = forward.model.named_parameters()
    gradients = {name: weight.grad.clone() for name, weight in named if weight.grad is not None}
    forward.model.zero_grad(set_to_none=True)
    return loss, gradients


def furthest(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the largest distance of any gradient, relative to its length."""
    assert found.keys() == expected.keys()
    assert expected
    distances = (
        (found[name] - gradient).norm() / gradient.norm().clamp(min=1e-12)
        for name, gradient in expected.items()
    )
    return max(map(float, distances))
