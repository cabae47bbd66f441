"""LoRA layers run as one function compute what PEFT's layers compute."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import AutoModelForImageTextToText

from tests.trainer.model.building import (
    PEFT_ASKS_BY_AN_OLDER_NAME,
    autocast,
    batch,
    load,
    logits,
    loss,
    train,
)
from trainer.model.low_rank import run_lora_as_one_function
from trainer.model.modes import evaluating
from trainer.model.parts import trainable_parameters
from trainer.model.weights import save_weights

EVERYWHERE = {"vision": "lora", "aligner": "lora", "language": "lora"}
Gradients = dict[str, torch.Tensor]


def layers(model: nn.Module) -> list[Any]:
    """The LoRA layers of a model."""
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def as_in_peft(model: nn.Module) -> nn.Module:
    """The same model, its LoRA layers run by PEFT."""
    for layer in layers(model):
        del layer.forward
    return model


def started(folder: Path, tune: dict[str, Any] | None = None, **model: Any) -> Any:
    """A trainable model whose B's are not zero."""
    made = load(folder, tune or EVERYWHERE, **model)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in trainable_parameters(made).items():
            if ".lora_B." in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)
    return made


def gradients(model: nn.Module) -> tuple[float, Gradients]:
    """The loss of a batch and its gradients; dropout is seeded."""
    torch.manual_seed(3)
    value = loss(model)
    value.backward()
    found = {name: weight.grad for name, weight in trainable_parameters(model).items()}
    model.zero_grad(set_to_none=True)
    return value.item(), {name: it for name, it in found.items() if it is not None}


def distances(ours: Gradients, exact: Gradients) -> list[float]:
    """How far each gradient is from what it should be, by the length of that."""
    assert ours.keys() == exact.keys()
    return [((ours[name] - exact[name]).norm() / exact[name].norm()).item() for name in exact]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation_checkpointing": True},
        {"quantization": "nf4"},
        {"quantization": "int8"},
    ],
)
def test_loss_and_gradients_are_those_of_peft_in_fp32(
    tiny_checkpoint: Path, options: dict[str, Any]
):
    model = started(tiny_checkpoint, **options)
    assert len(layers(model)) > 40
    ours, our_gradients = gradients(model)
    theirs, their_gradients = gradients(as_in_peft(model))
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert max(distances(our_gradients, their_gradients)) < 1e-5


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_under_autocast_it_is_no_less_exact_than_peft(tiny_checkpoint: Path, quantization: str):
    options: dict[str, Any] = {"quantization": quantization}
    if quantization == "none":
        exact_model = started(tiny_checkpoint)
        with torch.no_grad():  # the same weights, but computed with in fp32
            for weight in exact_model.parameters():
                weight.copy_(weight if weight.requires_grad else weight.bfloat16())
    else:
        exact_model = started(tiny_checkpoint, **options)
    _, exact = gradients(exact_model)
    model = started(tiny_checkpoint, dtype="bf16", **options)
    ours = distances(gradients(model)[1], exact)
    theirs = distances(gradients(as_in_peft(model))[1], exact)
    assert sum(ours) / len(ours) < 1.05 * sum(theirs) / len(theirs)


def test_dropout_is_kept_for_the_backward_and_follows_the_seed(tiny_checkpoint: Path):
    model = started(tiny_checkpoint, {"language": "lora", "dropout": 0.5})
    first, of_first = gradients(model)
    again, of_again = gradients(model)
    assert first == again
    assert all(torch.equal(of_first[name], of_again[name]) for name in of_first)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        assert loss(model).item() != first
    with evaluating(model):
        undropped = loss(model).item()
        assert undropped == loss(model).item() != first


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("base_is_trained", [True, False])  # then it is a product of its own
def test_gradients_with_dropout_are_those_of_finite_differences(bias: bool, base_is_trained: bool):
    torch.manual_seed(0)
    options = LoraConfig(r=2, lora_alpha=3, lora_dropout=0.5, target_modules=["0"])
    model = get_peft_model(nn.Sequential(nn.Linear(6, 5, bias=bias)), options).double()  # pyright: ignore
    (layer,) = layers(model)
    layer.base_layer.requires_grad_(base_is_trained)
    factors = [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    nn.init.normal_(factors[1])
    run_lora_as_one_function(model)
    trained = [weight for weight in layer.parameters() if weight.requires_grad]

    def run(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return layer(x)

    x = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    dropped = run(x)
    assert len(trained) == 2 + base_is_trained * (1 + bias)
    assert torch.autograd.gradcheck(run, (x, *trained))
    layer.eval()
    assert not torch.allclose(run(x), dropped)


@pytest.mark.filterwarnings(PEFT_ASKS_BY_AN_OLDER_NAME)
def test_what_it_saves_is_an_adapter_that_plain_peft_loads_and_runs_alike(
    tiny_checkpoint: Path, tmp_path: Path
):
    model = load(tiny_checkpoint, EVERYWHERE)
    train(model, steps=2)
    model.eval()
    folder = save_weights(model, tmp_path)
    base = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    theirs = PeftModel.from_pretrained(base, str(folder)).eval()
    inputs = batch(model)
    with torch.no_grad():
        expected = theirs(**inputs, use_cache=False).logits
    assert torch.allclose(logits(model), expected, atol=1e-5)


def test_an_adapter_that_is_switched_off_or_merged_runs_as_in_peft(tiny_checkpoint: Path):
    model = started(tiny_checkpoint)
    with_adapter = logits(model)
    with model.disable_adapter():
        without = logits(model)
    assert not torch.allclose(with_adapter, without, atol=1e-3)
    base = load(tiny_checkpoint, EVERYWHERE)  # every B is zero
    assert torch.allclose(without, logits(base), atol=1e-5)
    model.merge_adapter()
    assert torch.allclose(logits(model), with_adapter, atol=1e-4)
    model.unmerge_adapter()
    assert torch.allclose(logits(model), with_adapter, atol=1e-4)


def test_the_factors_in_use_are_the_newest_after_every_optimizer_step(tiny_checkpoint: Path):
    """Fused and 8-bit optimizers move weights without counting versions; nothing may be kept."""
    model = started(tiny_checkpoint, {"language": "lora", "dropout": 0.0}, dtype="bf16")
    optimizer = torch.optim.AdamW(trainable_parameters(model).values(), lr=0.1, fused=True)
    with autocast(model):
        loss(model).backward()
    optimizer.step()
    assert torch.equal(logits(model), logits(_copied_into_a_fresh_model(model, tiny_checkpoint)))


def _copied_into_a_fresh_model(model: nn.Module, folder: Path) -> nn.Module:
    fresh = load(folder, {"language": "lora", "dropout": 0.0}, dtype="bf16")
    own = trainable_parameters(fresh)
    with torch.no_grad():
        for name, weight in trainable_parameters(model).items():
            own[name].copy_(weight)
    return fresh


def test_less_is_kept_for_the_backward_than_in_peft(tiny_checkpoint: Path):
    def kept_bytes(model: nn.Module) -> int:
        seen: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            value = loss(model)
        assert value.requires_grad
        return sum(seen.values())

    model = started(tiny_checkpoint, {"language": "lora", "dropout": 0.05}, dtype="bf16")
    ours = kept_bytes(model)
    assert ours < 0.9 * kept_bytes(as_in_peft(model))
