"""Every weight belongs to one part, and the counts are those of the loaded model."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from tests.trainer.model.building import load, run_config
from trainer.config.model import TuneConfig
from trainer.model.parts import count_parts, is_lora, part_of, quantized_layers
from trainer.run.events import PartTuned


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.visual.patch_embed.proj.weight", "vision"),
        ("model.visual.pos_embed.weight", "vision"),
        ("model.visual.blocks.3.attn.qkv.lora_A.default.weight", "vision"),
        ("model.visual.merger.linear_fc1.weight", "aligner"),
        ("model.visual.deepstack_merger_list.0.norm.weight", "aligner"),
        ("base_model.model.model.visual.merger.modules_to_save.default.mlp.0.weight", "aligner"),
        ("base_model.model.model.visual.deepstack_merger_list.2.original_module.x", "aligner"),
        ("base_model.model.model.language_model.layers.0.mlp.up_proj.lora_B.default.weight", ""),
        ("model.language_model.embed_tokens.weight", ""),
        ("base_model.model.lm_head.modules_to_save.default.weight", ""),
        ("lm_head.weight", ""),
    ],
)
def test_names_with_and_without_the_prefixes_of_peft_belong_to_one_part(name: str, part: str):
    assert part_of(name) == (part or "language")


def test_a_name_of_no_part_is_refused():
    with pytest.raises(ValueError, match="transformer"):
        part_of("transformer.h.0.weight")


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"])
def test_every_weight_of_every_family_has_a_part(families: dict[str, Path], family: str):
    model = AutoModelForImageTextToText.from_pretrained(families[family])
    parts = {name: part_of(name) for name, _ in model.named_parameters()}
    assert set(parts.values()) == {"vision", "aligner", "language"}
    mergers = {name for name in parts if "merger" in name}
    assert {name for name, part in parts.items() if part == "aligner"} == mergers


def by_part(model: torch.nn.Module, tune: TuneConfig) -> dict[str, PartTuned]:
    return {event.part: event for event in count_parts(model, tune)}


def test_the_counts_of_a_mixed_run_add_up(tiny_checkpoint: Path):
    config = run_config(tiny_checkpoint, {"vision": "full", "aligner": "lora"})
    model = load(tiny_checkpoint, {"vision": "full", "aligner": "lora"})
    plain = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    counts = by_part(model, config.tune)
    vision, aligner, language = counts["vision"], counts["aligner"], counts["language"]
    assert (vision.frozen_tensors, vision.lora_tensors, vision.full_tensors) == (0, 0, 51)
    assert (aligner.frozen_tensors, aligner.lora_tensors, aligner.full_tensors) == (24, 16, 0)
    assert (language.frozen_tensors, language.lora_tensors) == (46, 56)
    assert vision.trainable_parameters == vision.parameters
    lora = sum(weight.numel() for name, weight in model.named_parameters() if is_lora(name))
    assert aligner.trainable_parameters + language.trainable_parameters == lora
    everything = sum(event.parameters for event in counts.values())
    assert everything == sum(weight.numel() for weight in plain.parameters()) + lora


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_only_the_language_model_is_quantised(tiny_checkpoint: Path, quantization: str):
    model = load(tiny_checkpoint, {"aligner": "full"}, quantization=quantization)
    counts = by_part(model, run_config(tiny_checkpoint, {"aligner": "full"}).tune)
    assert {part: event.quantized_layers for part, event in counts.items()} == {
        "vision": 0,
        "aligner": 0,
        "language": 4 * 7,
    }
    assert not any("visual" in name or "lm_head" in name for name in quantized_layers(model))


def test_packed_weights_count_all_their_values(tiny_checkpoint: Path):
    tune = run_config(tiny_checkpoint).tune
    plain = by_part(load(tiny_checkpoint), tune)["language"]
    packed = by_part(load(tiny_checkpoint, quantization="nf4"), tune)["language"]
    assert packed.parameters == plain.parameters


def test_a_model_in_another_mode_than_configured_is_noticed(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"vision": "full"})
    model.get_parameter("base_model.model.model.visual.merger.norm.weight").requires_grad_(True)
    with pytest.raises(AssertionError, match="aligner should be frozen"):
        count_parts(model, run_config(tiny_checkpoint, {"vision": "full"}).tune)
