"""The chunked head gives the numbers of the plain way and never holds more than a chunk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tests.trainer.model.building import autocast, batch, load
from trainer.demo.tiny import build_tiny_checkpoint
from trainer.model import chunk
from trainer.model.body import head_weight, hidden_states
from trainer.model.parts import trainable_parameters
from trainer.objectives.head import HeadSums, head_sums
from trainer.objectives.supervised import IGNORED_LABEL, supervised_terms, target_rows
from trainer.objectives.terms import Terms

# N rows, H hidden, V vocabulary, B samples, T tokens


def plain_sums(hidden: Tensor, weight: Tensor, wanted: Tensor) -> HeadSums:
    """All logits at once, and autograd."""
    logits = functional.linear(hidden, weight).float()
    entropy = torch.distributions.Categorical(logits=logits.detach()).entropy().sum()
    correct = (logits.argmax(dim=-1) == wanted).sum().float()
    return HeadSums(functional.cross_entropy(logits, wanted, reduction="sum"), correct, entropy)


def difference(found: Tensor | None, expected: Tensor | None) -> float:
    assert found is not None
    assert expected is not None
    assert found.dtype == expected.dtype
    return float((found - expected).double().norm() / expected.double().norm().clamp(min=1e-12))


@given(
    rows=st.integers(1, 40),
    hidden_size=st.integers(1, 24),
    vocabulary=st.integers(2, 300),
    chunk_logits=st.integers(1, 3000),
    seed=st.integers(0, 2**32),
    trained=st.sampled_from([(True, True), (True, False), (False, True)]),
)
@settings(max_examples=60)
def test_loss_metrics_and_gradients_are_those_of_all_logits_at_once(
    rows: int,
    hidden_size: int,
    vocabulary: int,
    chunk_logits: int,
    seed: int,
    trained: tuple[bool, bool],
):
    generator = torch.Generator().manual_seed(seed)
    hidden = 2 * torch.randn(rows, hidden_size, generator=generator)
    weight = torch.randn(vocabulary, hidden_size, generator=generator)
    wanted = torch.randint(vocabulary, (rows,), generator=generator)
    found = [hidden.clone().requires_grad_(trained[0]), weight.clone().requires_grad_(trained[1])]
    expected = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in found]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk, "CHUNK_LOGITS", chunk_logits)
        ours = head_sums(found[0], found[1], wanted)
    plain = plain_sums(expected[0], expected[1], wanted)
    (ours.loss / 7).backward()
    (plain.loss / 7).backward()

    assert ours.loss.item() == pytest.approx(plain.loss.item(), rel=1e-6, abs=1e-5)
    assert ours.correct == plain.correct
    assert ours.entropy.item() == pytest.approx(plain.entropy.item(), rel=1e-5, abs=1e-4)
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            assert difference(mine.grad, theirs.grad) <= 1e-5


def test_in_bf16_the_error_is_no_larger_than_that_of_the_plain_way():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(60, 64, generator=generator)
    weight = torch.randn(500, 64, generator=generator) / 4
    wanted = torch.randint(500, (60,), generator=generator)
    exact, ours, plain = (
        [hidden.clone().requires_grad_(), weight.clone().requires_grad_()] for _ in range(3)
    )
    plain_sums(exact[0], exact[1], wanted).loss.backward()
    with torch.autocast("cpu", torch.bfloat16), pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk, "CHUNK_LOGITS", 5000)
        found = head_sums(ours[0], ours[1], wanted).loss
        expected = plain_sums(plain[0], plain[1], wanted).loss
    found.backward()
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for mine, theirs, true in zip(ours, plain, exact, strict=True):
        assert difference(mine.grad, true.grad) <= 1.1 * difference(theirs.grad, true.grad)
        assert difference(mine.grad, true.grad) <= 1e-2


@pytest.mark.parametrize("confidence", [1.0, 40.0])
def test_a_frozen_head_in_bf16_is_as_exact_however_well_it_predicts(confidence: float):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3000, 64, generator=generator) / 4
    wanted = torch.randint(3000, (60,), generator=generator)
    hidden = (confidence * weight[wanted]).bfloat16().float()
    exact, ours, plain = (hidden.clone().requires_grad_() for _ in range(3))
    probability = plain_sums(exact, weight.bfloat16().float(), wanted).loss.div(-60).exp()
    assert probability < 0.1 if confidence == 1 else probability > 0.99
    plain_sums(exact, weight.bfloat16().float(), wanted).loss.backward()
    with torch.autocast("cpu", torch.bfloat16):
        head_sums(ours, weight, wanted).loss.backward()
        plain_sums(plain, weight, wanted).loss.backward()
    assert difference(ours.grad, exact.grad) <= 1.1 * difference(plain.grad, exact.grad)


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for it in result if isinstance(result, tuple | list) else (result,):
            if isinstance(it, Tensor):
                self.elements = max(self.elements, it.numel())
        return result


@pytest.mark.parametrize(("rows", "vocabulary"), [(64, 500), (512, 500), (64, 4000)])
def test_no_tensor_is_larger_than_a_chunk_however_many_rows_and_words(
    rows: int, vocabulary: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chunk, "CHUNK_LOGITS", 8000)
    hidden = torch.randn(rows, 4, requires_grad=True)
    weight = torch.randn(vocabulary, 4)
    wanted = torch.randint(vocabulary, (rows,))
    with Largest() as largest:
        head_sums(hidden, weight, wanted).loss.backward()
    assert largest.elements <= max(8000, weight.numel())


def test_a_frozen_head_costs_no_product_for_its_gradient():
    hidden = torch.randn(8, 16, requires_grad=True)
    wanted = torch.randint(50, (8,))
    products = []
    for trained in (False, True):
        weight = torch.randn(50, 16, requires_grad=trained)
        with FlopCounterMode(display=False) as counter:
            head_sums(hidden, weight, wanted).loss.backward()
        products.append(counter.get_flop_counts()["Global"])
    product = 2 * 8 * 16 * 50
    entropy = 2 * 8 * 50
    assert [sum(counts.values()) for counts in products] == [
        2 * product + entropy,
        3 * product + entropy,
    ]


def test_without_gradients_nothing_but_the_sums_is_worked_out():
    weight = torch.randn(50, 16, requires_grad=True)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        sums = head_sums(torch.randn(8, 16), weight, torch.randint(50, (8,)))
    assert not sums.loss.requires_grad
    assert counter.get_total_flops() == 2 * 8 * 16 * 50 + 2 * 8 * 50


def test_a_second_backward_fails_instead_of_giving_other_gradients():
    hidden = torch.randn(3, 4, requires_grad=True)
    loss = head_sums(hidden, torch.randn(5, 4), torch.tensor([0, 1, 2])).loss
    loss.backward(retain_graph=True)
    with pytest.raises(AttributeError):
        loss.backward()


def test_an_infinite_logit_makes_the_loss_not_finite():
    hidden = torch.tensor([[torch.inf, 1.0]], requires_grad=True)
    assert not torch.isfinite(head_sums(hidden, torch.ones(3, 2), torch.tensor([0])).loss)


# --- the whole model ----------------------------------------------------------------------------


def labels_of(input_ids: Tensor, share: float) -> Tensor:
    """Labels on a share of the positions, at least one; the last ones always."""
    kept = torch.rand(input_ids.shape, generator=torch.Generator().manual_seed(1)) < share
    kept[:, -2:] = True
    return torch.where(kept, input_ids, IGNORED_LABEL)


def plain_terms(model: Any, inputs: dict[str, Tensor], labels: Tensor) -> Terms:
    logits = model(**inputs, use_cache=False).logits[:, :-1].float().flatten(0, 1)
    wanted = labels[:, 1:].flatten()
    loss = functional.cross_entropy(logits, wanted, reduction="sum", ignore_index=IGNORED_LABEL)
    return Terms(loss, int((wanted != IGNORED_LABEL).sum()), {})


TUNES = {
    "lora": {"vision": "lora", "aligner": "lora", "language": "lora"},
    "full": {"vision": "full", "aligner": "full", "language": "full"},
    "lora-beside-full": {"vision": "lora", "aligner": "full", "language": "full"},
    "aligner-only": {"vision": "frozen", "aligner": "full", "language": "frozen"},
}


def check_against_plain(folder: Path, tune: dict[str, str], **options: Any) -> None:
    model = load(folder, tune, **options)
    for name, weight in trainable_parameters(model).items():
        if ".lora_B." in name:  # zero at first, and then A has no gradient to compare
            torch.nn.init.normal_(weight, std=0.05)
    inputs = batch(model)
    labels = labels_of(inputs["input_ids"], 0.3)
    found = []
    for terms_of in (plain_terms, supervised_terms):
        with autocast(model):
            terms = terms_of(model, inputs, labels)
        (terms.numerator / terms.target_tokens).backward()
        gradients = {name: it.grad for name, it in trainable_parameters(model).items()}
        found.append((terms.numerator.item(), terms.target_tokens, gradients))
        model.zero_grad(set_to_none=True)
    (plain_loss, plain_tokens, expected), (loss, tokens, gradients) = found
    assert tokens == plain_tokens
    assert loss == pytest.approx(plain_loss, rel=1e-6)
    for name, gradient in gradients.items():
        assert difference(gradient, expected[name]) <= 1e-5, name


@pytest.mark.parametrize("tune", TUNES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_model_trains_as_with_its_own_head(
    tiny_checkpoint: Path, tune: str, checkpointing: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chunk, "CHUNK_LOGITS", 2000)
    check_against_plain(tiny_checkpoint, TUNES[tune], activation_checkpointing=checkpointing)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen2_vl"])
def test_the_older_families_do_too(tmp_path: Path, family: Any):
    folder = build_tiny_checkpoint(tmp_path / family, family=family)
    check_against_plain(folder, TUNES["lora"])


def test_a_quantised_base_does_too(tiny_checkpoint: Path):
    check_against_plain(tiny_checkpoint, TUNES["lora"], quantization="nf4")


@pytest.mark.parametrize("tune", ["full", "lora-beside-full"])
def test_an_untied_head_does_too(untied_checkpoint: Path, tune: str):
    check_against_plain(untied_checkpoint, TUNES[tune])


def test_the_head_in_use_is_the_adapters_own_copy(untied_checkpoint: Path):
    model = load(untied_checkpoint, TUNES["lora-beside-full"])
    weight = head_weight(model)
    assert weight.requires_grad
    assert weight is not model.get_base_model().lm_head.original_module.weight


def test_an_adapter_counts_in_the_hidden_states(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, TUNES["lora"])
    inputs = batch(model)
    before = hidden_states(model, inputs)
    for name, weight in trainable_parameters(model).items():
        if ".lora_B." in name:
            torch.nn.init.normal_(weight, std=0.05)
    assert not torch.allclose(hidden_states(model, inputs), before)


def test_a_label_belongs_to_the_position_before_it():
    labels = torch.tensor([[-100, 5, -100, 7], [3, -100, 9, -100]])
    rows, wanted = target_rows(labels)
    assert rows.tolist() == [0, 2, 5]
    assert wanted.tolist() == [5, 7, 9]


def test_a_batch_without_a_target_token_is_refused(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    inputs = batch(model)
    labels = torch.full_like(inputs["input_ids"], IGNORED_LABEL)
    labels[:, 0] = 5  # nothing comes before it
    with pytest.raises(ValueError, match="no target token"):
        supervised_terms(model, inputs, labels)
