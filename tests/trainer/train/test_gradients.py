"""The first step has the loss and the gradients of plain transformers."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoImageProcessor, AutoModelForImageTextToText

from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.data.batch import Batch, Window
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.samples import collate
from trainer.model.load import load_trainable
from trainer.train.window import Forward, accumulate_gradients

FULL = ("tune.vision=full", "tune.aligner=full", "tune.language=full")
LoadConfig = Callable[..., RunConfig]
LORA = ("tune.vision=lora", "tune.aligner=lora", "tune.language=lora", "tune.dropout=0")


@pytest.fixture
def config_of(tiny_checkpoint: Path, shapes: tuple[Path, Path], tmp_path: Path) -> LoadConfig:
    def load(*options: str) -> RunConfig:
        fixed = [f"model.path={tiny_checkpoint}", f"data.train={shapes[0]}", "model.dtype=fp32"]
        cache = f"data.cache_dir={tmp_path}"
        return load_config("balanced", [*fixed, cache, "model.quantization=none", *options])

    return load


def forward_of(config: RunConfig) -> Forward:
    model = load_trainable(config, torch.device("cpu"), lambda _event: None)
    return Forward(model, Preprocessing.load(config.model, config.data), Accelerator(cpu=True), 0)


def window_of(config: RunConfig, preprocessing: Preprocessing, *cuts: int) -> Window:
    """Return the first records as one window whose micro-batches have the given sizes."""
    dataset = Dataset((index_file(config.data.train[0], cache_dir=config.data.cache_dir),))
    records = Records.of(dataset, config.data)
    samples = [preprocessing.encode(records[number]) for number in range(sum(cuts))]
    batches: list[Batch] = []
    for cut in cuts:
        taken, samples = samples[:cut], samples[cut:]
        batches.append(Batch.from_arrays(collate(taken, [], preprocessing.pad_id)))
    return Window.of(0, 0, batches)


def gradients_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        difference = (found[name] - gradient).norm() / gradient.norm().clamp(min=1e-12)
        assert difference <= 1e-5, f"{name}: {difference}"


def pictures(path: str, count: int) -> list[Image.Image]:
    """Decode the pictures of the first records with nothing of ours."""
    found: list[Image.Image] = []
    for line in Path(path).read_bytes().splitlines()[:count]:
        for message in orjson.loads(line)["messages"]:
            if isinstance(message["content"], list):
                for item in message["content"]:
                    if item["type"] == "image":
                        data = base64.b64decode(item["image"].partition(",")[2])
                        found.append(Image.open(io.BytesIO(data)).convert("RGB"))
    return found


@pytest.mark.parametrize("with_text_only", [False, True])
def test_loss_and_every_gradient_equal_a_plain_forward(
    config_of: LoadConfig, mixed_shapes: Path, with_text_only: bool
):
    config = config_of(*FULL, *([f"data.train={mixed_shapes}"] if with_text_only else []))
    forward = forward_of(config)
    window = window_of(config, forward.preprocessing, 4)
    ours = accumulate_gradients(forward, window)

    plain = AutoModelForImageTextToText.from_pretrained(config.model.path, dtype=torch.float32)
    plain.train()
    processor = AutoImageProcessor.from_pretrained(config.model.path, backend="pil")
    seen = processor(images=pictures(config.data.train[0], 4), return_tensors="pt")
    (batch,) = window.batches
    assert batch.attention_mask is not None
    assert batch.tokens < batch.positions
    logits = plain(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        mm_token_type_ids=batch.mm_token_type_ids,
        pixel_values=seen["pixel_values"],
        image_grid_thw=seen["image_grid_thw"],
    ).logits
    flat = logits[:, :-1].reshape(-1, logits.shape[-1])
    loss = functional.cross_entropy(flat, batch.labels[:, 1:].reshape(-1), ignore_index=-100)
    loss.backward()

    assert ours.mean("loss") == pytest.approx(loss.item(), rel=1e-6)
    assert_equal(gradients_of(forward.model), gradients_of(plain))


class SeenMasks(TorchDispatchMode):
    """Takes down the mask of every call of sdpa's fast kernel, and whether it was causal."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bool, torch.Tensor | None]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default:
            is_causal = len(args) > 4 and args[4]
            self.seen.append((is_causal, (kwargs or {}).get("attn_mask")))
        return func(*args, **(kwargs or {}))


def test_padding_costs_attention_no_mask(config_of: LoadConfig, mixed_shapes: Path):
    config = config_of(*LORA, f"data.train={mixed_shapes}")
    forward = forward_of(config)
    with SeenMasks() as masks:
        accumulate_gradients(forward, window_of(config, forward.preprocessing, 4))
    assert any(is_causal for is_causal, _ in masks.seen)
    assert [mask for _, mask in masks.seen if mask is not None] == []


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("checkpointing", ["off", "all"])
def test_what_lies_in_the_padding_does_not_change_a_bit(
    config_of: LoadConfig, mixed_shapes: Path, attention: str, checkpointing: str
):
    options = (f"model.attention={attention}", f"model.activation_checkpointing={checkpointing}")
    config = config_of(*FULL, *options, f"data.train={mixed_shapes}")
    forward = forward_of(config)
    window = window_of(config, forward.preprocessing, 4)
    before = (accumulate_gradients(forward, window), gradients_of(forward.model))
    forward.model.zero_grad(set_to_none=True)
    (batch,) = window.batches
    assert batch.attention_mask is not None
    padding = batch.attention_mask == 0
    assert padding.sum() > batch.samples
    batch.input_ids[padding] = torch.randint(256, (int(padding.sum()),))
    after = (accumulate_gradients(forward, window), gradients_of(forward.model))
    assert after[0].mean("loss") == before[0].mean("loss")
    torch.testing.assert_close(after[1], before[1], rtol=0, atol=0)


@pytest.mark.parametrize("options", [FULL, LORA], ids=["full", "lora"])
def test_how_a_window_is_cut_into_micro_batches_does_not_change_the_gradient(
    config_of: LoadConfig, options: tuple[str, ...]
):
    config = config_of(*options)
    forward = forward_of(config)
    if options == LORA:  # B is zero at first, and then A has no gradient to compare
        for name, parameter in forward.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
    found = {}
    for cuts in ((4,), (1, 1, 1, 1), (3, 1)):
        gradients = accumulate_gradients(forward, window_of(config, forward.preprocessing, *cuts))
        found[cuts] = (gradients.mean("loss"), gradients_of(forward.model))
        forward.model.zero_grad(set_to_none=True)
    for cuts in ((1, 1, 1, 1), (3, 1)):
        assert found[cuts][0] == pytest.approx(found[(4,)][0], rel=1e-6)
        assert_equal(found[cuts][1], found[(4,)][1])


def test_a_window_without_a_target_token_has_no_loss_and_no_gradient(config_of: LoadConfig):
    config = config_of(*LORA)
    forward = forward_of(config)
    empty = Batch.from_arrays(collate([], [], forward.preprocessing.pad_id))
    gradients = accumulate_gradients(forward, Window.of(0, 0, [empty]))
    assert gradients.mean("loss") is None
    assert gradients_of(forward.model) == {}
