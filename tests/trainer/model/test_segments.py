"""Samples in one row are trained as if each were alone; no attention path lets one see another."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from tests.trainer.model.running import FULL, forward_of, furthest, singles_of, trained
from trainer.data.batch import Batch
from trainer.data.joining import in_one_row, side_by_side
from trainer.data.samples import IGNORED
from trainer.model.body import base_of, hidden_states
from trainer.model.modes import evaluating
from trainer.model.segments import PICTURES_NAME, Segments, attend, packed_attention
from trainer.train.window import Forward

CPU = torch.device("cpu")
CHECKPOINTED = "model.activation_checkpointing=true"
PATHS = {
    "a call for each sample": (),
    "checkpointed": (CHECKPOINTED,),
    "mask of all pairs": ("model.attention=eager",),
    "mask of all pairs, checkpointed": ("model.attention=eager", CHECKPOINTED),
}
Changed = Callable[[Batch], Batch]


@pytest.fixture(autouse=True)
def fresh_accelerator() -> None:
    """A process has one Accelerator state."""
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("options", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
def test_a_packed_row_has_the_loss_and_the_gradients_of_its_samples(
    families: dict[str, Path], data_file: Path, family: str, options: tuple[str, ...]
):
    if family != "qwen3_vl" and CHECKPOINTED in options:
        pytest.skip("the layers are checkpointed in the same way")
    forward = forward_of(families[family], data_file, *FULL, *options)
    singles = singles_of(forward.preprocessing, data_file)
    loss, gradients = trained(
        forward, in_one_row(singles, forward.preprocessing.picture_rule.merge)
    )
    for batches in (singles, [side_by_side(singles, forward.preprocessing.pad_id)]):
        expected_loss, expected = trained(forward, *batches)
        assert loss == pytest.approx(expected_loss, rel=1e-6)
        assert furthest(gradients, expected) < 1e-5


def unlabelled(single: Batch) -> Batch:
    return replace(single, labels=torch.full_like(single.labels, IGNORED))


def other_text(single: Batch) -> Batch:
    """The same sample with another word for every word; what marks pictures stays."""
    is_word = (single.mm_token_type_ids == 0) & (single.input_ids < 200)
    assert is_word.any()
    return replace(single, input_ids=torch.where(is_word, single.input_ids + 7, single.input_ids))


def other_pictures(single: Batch) -> Batch:
    assert single.patches is not None
    return replace(single, patches=255 - single.patches)


def leak(forward: Forward, singles: list[Batch], place: int, change: Changed) -> tuple[float, ...]:
    """Return by how much others' hidden states, loss and gradients differ when one is changed.

    That one has no label, so all losses and gradients are the others'.
    """
    merge = forward.preprocessing.picture_rule.merge
    quiet = [unlabelled(it) if number == place else it for number, it in enumerate(singles)]
    changed = [change(it) if number == place else it for number, it in enumerate(quiet)]
    before, after = in_one_row(quiet, merge), in_one_row(changed, merge)
    start = sum(before.lengths[:place])
    others = torch.ones(before.tokens, dtype=torch.bool)
    others[start : start + before.lengths[place]] = False
    hidden = [hidden_states(forward.model, forward.inputs(it)[0])[0] for it in (before, after)]
    assert not torch.allclose(hidden[0][~others], hidden[1][~others], atol=1e-3)
    (loss, gradients), (other_loss, other_gradients) = (
        trained(forward, before),
        trained(forward, after),
    )
    assert loss is not None
    assert other_loss is not None
    apart = (hidden[0] - hidden[1])[others].abs().max().item()
    return apart, abs(loss - other_loss), furthest(other_gradients, gradients)


@pytest.mark.parametrize("evaluates", [False, True], ids=["training", "evaluation"])
@pytest.mark.parametrize("options", PATHS.values(), ids=PATHS)
def test_no_sample_of_a_row_sees_another(
    tiny_checkpoint: Path, data_file: Path, options: tuple[str, ...], evaluates: bool
):
    forward = forward_of(tiny_checkpoint, data_file, *FULL, *options)
    singles = singles_of(forward.preprocessing, data_file)
    with evaluating(forward.model) if evaluates else nullcontext():
        for place, change in ((0, other_text), (2, other_pictures)):
            assert max(leak(forward, singles, place, change)) <= 1e-6


def test_the_search_for_leaks_finds_one(
    tiny_checkpoint: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch
):
    forward = forward_of(tiny_checkpoint, data_file, *FULL)
    singles = singles_of(forward.preprocessing, data_file)
    monkeypatch.setattr(
        "trainer.train.window.packed_inputs",
        lambda _model, positions, _lengths: {"position_ids": positions[1:]},
    )
    apart, loss, gradient = leak(forward, singles, 0, other_text)
    assert apart > 1e-3
    assert loss > 1e-4
    assert gradient > 1e-3


def test_an_adapter_is_trained_in_packed_rows_as_in_padded_ones(
    tiny_checkpoint: Path, data_file: Path
):
    lora = ("tune.vision=lora", "tune.aligner=lora", "tune.language=lora", "tune.dropout=0")
    forward = forward_of(tiny_checkpoint, data_file, *lora, "model.quantization=nf4", CHECKPOINTED)
    for name, weight in forward.model.named_parameters():
        if "lora_B" in name:  # zero at first, and then A has no gradient to compare
            nn.init.normal_(weight, std=0.02)
    singles = singles_of(forward.preprocessing, data_file)
    row = in_one_row(singles, forward.preprocessing.picture_rule.merge)
    loss, gradients = trained(forward, row)
    expected_loss, expected = trained(forward, side_by_side(singles, forward.preprocessing.pad_id))
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert furthest(gradients, expected) < 1e-4


def test_a_row_without_its_segments_is_masked_rather_than_mixed(
    tiny_checkpoint: Path, data_file: Path
):
    forward = forward_of(tiny_checkpoint, data_file, *FULL)
    singles = singles_of(forward.preprocessing, data_file)
    row = in_one_row(singles, forward.preprocessing.picture_rule.merge)
    plain = row.model_inputs(forward.preprocessing, CPU, torch.float32)
    with torch.no_grad():
        masked = hidden_states(forward.model, plain)
        by_segment = hidden_states(forward.model, forward.inputs(row)[0])
    assert torch.allclose(masked, by_segment, atol=1e-5)


def test_a_sample_longer_than_a_sliding_window_is_refused():
    layer = nn.Module()
    tensor = torch.zeros(1, 2, 12, 8)
    segments = Segments.of((4, 8), CPU)
    with pytest.raises(ValueError, match=r"8 tokens .* looks back 6; set batch\.packing=none"):
        attend(layer, tensor, tensor, tensor, None, segments, sliding_window=6)


def test_the_attention_of_packed_rows_has_a_name(tiny_checkpoint: Path, data_file: Path):
    model = forward_of(tiny_checkpoint, data_file).model
    assert packed_attention(model, torch.bfloat16, CPU) == "sdpa, a call for each sample"
    eager = forward_of(tiny_checkpoint, data_file, "model.attention=eager").model
    assert packed_attention(eager, torch.bfloat16, CPU) == "eager with a mask of all pairs"


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
def test_all_pictures_at_once_give_the_gradients_of_each_alone(
    families: dict[str, Path], data_file: Path, family: str
):
    forward = forward_of(families[family], data_file, *FULL)
    singles = singles_of(forward.preprocessing, data_file)
    row = in_one_row(singles, forward.preprocessing.picture_rule.merge)
    assert row.images == 4
    expected_loss, expected = trained(forward, row)
    tower = base_of(forward.model).model.visual
    tower.config._attn_implementation = PICTURES_NAME
    assert tower.blocks[0].attn.config is tower.config
    loss, gradients = trained(forward, row)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert furthest(gradients, expected) < 1e-5


@pytest.mark.gpu
def test_one_call_for_all_samples_equals_a_call_for_each():
    cuda = torch.device("cuda")
    layer = nn.Module()
    layer.num_key_value_groups, layer.is_causal = 2, True  # pyright: ignore
    lengths = (70, 1, 300, 129)
    draw = torch.Generator(cuda).manual_seed(0)
    query, key, value = (
        torch.randn(1, heads, sum(lengths), 64, device=cuda, generator=draw, dtype=torch.bfloat16)
        for heads in (8, 4, 4)
    )
    leaves = [tensor.requires_grad_() for tensor in (query, key, value)]
    segments = Segments.of(lengths, cuda)
    together = attend(layer, query, key, value, None, segments, scaling=0.125)[0]
    upstream = torch.randn_like(together)
    found = torch.autograd.grad(together, leaves, upstream)
    alone = torch.cat(
        [
            sdpa_attention_forward(layer, q, k, v, None, scaling=0.125)[0]
            for q, k, v in zip(*(leaf.split(lengths, dim=2) for leaf in leaves), strict=True)
        ],
        dim=1,
    )
    expected = torch.autograd.grad(alone, leaves, upstream)
    assert torch.allclose(together, alone, atol=2e-2)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 1e-2

    changed = key.detach().clone()
    changed[:, :, :70] += 1
    again = attend(layer, query, changed, value, None, segments, scaling=0.125)[0]
    assert torch.equal(again[:, 70:], together[:, 70:])
    assert not torch.equal(again[:, :70], together[:, :70])


@pytest.mark.gpu
def test_on_a_gpu_samples_and_pictures_are_one_call_each(tiny_checkpoint: Path, data_file: Path):
    forward = forward_of(tiny_checkpoint, data_file, *FULL, "model.device=cuda", "model.dtype=bf16")
    singles = singles_of(forward.preprocessing, data_file)
    tower = base_of(forward.model).model.visual
    assert tower.config._attn_implementation == PICTURES_NAME
    cuda = torch.device("cuda")
    named = packed_attention(forward.model, torch.bfloat16, cuda)
    assert named == "variable-length flash attention of torch"
    row = in_one_row(singles, forward.preprocessing.picture_rule.merge)
    loss, gradients = trained(forward, row)
    tower.config._attn_implementation = "sdpa"
    expected_loss, expected = trained(forward, *singles)
    assert loss == pytest.approx(expected_loss, rel=1e-2)
    assert furthest(gradients, expected) < 0.1
    tower.config._attn_implementation = PICTURES_NAME
    for place, change in ((0, other_text), (2, other_pictures)):
        apart, *_ = leak(forward, singles, place, change)
        assert apart <= 1e-6
