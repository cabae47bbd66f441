"""Operations counted from shapes are those that torch counts while the model runs.

torch sees every product, full attention where causal attention needs half, and the entropy of the
head, which is no part of the model.
"""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.trainer.model.building import batch, load
from trainer.model.cost import Extent, TrainingCost
from trainer.model.flops import training_cost
from trainer.model.parts import PARTS
from trainer.model.peaks import peak_flops
from trainer.objectives.supervised import IGNORED_LABEL, supervised_terms

COMBINATIONS = [
    modes
    for modes in itertools.product(("frozen", "lora", "full"), repeat=3)
    if set(modes) != {"frozen"}
]
QUICK = COMBINATIONS[::5]


def cost_of(model: Any) -> TrainingCost:
    cost = training_cost(model)
    assert cost is not None
    return cost


def counted(model: Any, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> int:
    """What torch counts in forward and backward, without the head's entropy."""
    with FlopCounterMode(display=False) as counter:
        terms = supervised_terms(model, inputs, labels)
        terms.numerator.backward()
    vocabulary = model.config.text_config.vocab_size
    return counter.get_total_flops() - 2 * terms.target_tokens * vocabulary


def extent_of(cost: TrainingCost, inputs: dict[str, torch.Tensor], targets: int) -> Extent:
    samples, length = inputs["input_ids"].shape
    grids = inputs["image_grid_thw"].tolist() if "image_grid_thw" in inputs else []
    found = cost.extent([length] * samples, grids, targets)
    # eager attention computes both halves of the pairs
    return found + Extent(token_pairs=samples * length**2 - found.token_pairs)


def check(folder: Path, modes: tuple[str, ...], *, images: bool = True, **options: Any) -> None:
    tune: dict[str, Any] = dict(zip(PARTS, modes, strict=True))
    model = load(folder, tune, attention="eager", **options)
    inputs = batch(model, images=images)
    labels = inputs["input_ids"].clone()
    labels[:, :9] = IGNORED_LABEL
    cost = cost_of(model)
    flops = cost.flops(extent_of(cost, inputs, 2 * (24 - 9)))
    found = counted(model, inputs, labels)
    assert flops.model + flops.recomputed == pytest.approx(found, rel=0.01)
    assert (flops.recomputed > 0) == options.get("activation_checkpointing", False)


@pytest.mark.parametrize("modes", QUICK, ids="-".join)
def test_what_torch_counts_is_what_the_shapes_say(tiny_checkpoint: Path, modes: tuple[str, ...]):
    check(tiny_checkpoint, modes)


@pytest.mark.slow
@pytest.mark.parametrize("modes", [it for it in COMBINATIONS if it not in QUICK], ids="-".join)
def test_so_it_is_in_every_other_combination(tiny_checkpoint: Path, modes: tuple[str, ...]):
    check(tiny_checkpoint, modes)


def test_checkpointing_does_not_carry_gradients_past_the_first_trained_layer(tiny_checkpoint: Path):
    plain = cost_of(load(tiny_checkpoint))
    saving = load(tiny_checkpoint, activation_checkpointing=True)
    assert cost_of(saving).text == plain.text
    embedded: list[torch.Tensor] = []
    embedding = saving.get_base_model().get_input_embeddings()
    embedding.register_forward_hook(lambda _module, _inputs, output: embedded.append(output))
    supervised_terms(saving, inputs := batch(saving), inputs["input_ids"]).numerator.backward()
    assert not embedded[0].requires_grad


@pytest.mark.parametrize("modes", QUICK, ids="-".join)
def test_what_checkpointing_computes_again_is_counted_apart(
    tiny_checkpoint: Path, modes: tuple[str, ...]
):
    check(tiny_checkpoint, modes, activation_checkpointing=True)
    check(tiny_checkpoint, modes, activation_checkpointing=True, recompute_every=2)


@pytest.mark.parametrize(
    "modes", [("frozen", "frozen", "lora"), ("lora", "lora", "lora"), ("full", "full", "full")]
)
def test_text_alone_costs_nothing_in_the_tower(tiny_checkpoint: Path, modes: tuple[str, ...]):
    check(tiny_checkpoint, modes, images=False)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen2_vl"])
@pytest.mark.parametrize("modes", [("frozen", "frozen", "lora"), ("lora", "full", "lora")])
def test_the_older_families_are_counted_too(
    families: dict[str, Path], family: str, modes: tuple[str, ...]
):
    check(families[family], modes)


def test_a_quantised_base_costs_what_it_costs_in_full_precision(tiny_checkpoint: Path):
    assert cost_of(load(tiny_checkpoint, quantization="nf4")) == cost_of(load(tiny_checkpoint))


def test_causal_attention_sees_half_of_the_pairs_and_windows_cut_pictures(
    families: dict[str, Path],
):
    cost = cost_of(load(families["qwen2_5_vl"]))
    assert cost.window == 8  # 112 pixels of patches of 14
    extent = cost.extent([10, 4], [[1, 4, 20]], 3)
    assert extent.tokens == 14
    assert extent.token_pairs == (100 + 16) // 2
    assert (extent.patches, extent.visual_tokens, extent.patch_pairs) == (80, 20, 6400)
    assert extent.window_pairs == 2 * 32**2 + 16**2


def test_layers_of_an_unknown_kind_have_no_cost(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    layer = model.get_base_model().model.language_model.layers[1]
    layer.experts = torch.nn.Linear(2, 2)
    assert training_cost(model) is None


@pytest.mark.parametrize(
    ("name", "bf16"),
    [
        ("NVIDIA H200", 989.4e12),
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756.5e12),
        ("NVIDIA A100-SXM4-80GB", 311.9e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", None),
        ("NVIDIA L40", 181.1e12),
        ("NVIDIA L400", None),
        ("CPU", None),
    ],
)
def test_a_peak_belongs_to_exactly_the_device_that_has_it(name: str, bf16: float | None):
    assert peak_flops(name, "bf16") == bf16


def test_fp32_has_a_peak_of_its_own():
    assert peak_flops("NVIDIA A100-SXM4-80GB", "fp32") == 19.5e12
