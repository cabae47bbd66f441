"""A checkpoint is taken whole, as configured, or refused with what to do."""

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

from tests.trainer.model.building import CPU, batch, ignore, load, logits, run_config, train
from trainer.model.body import base_of
from trainer.model.errors import ModelError
from trainer.model.load import load_base
from trainer.model.modes import evaluating
from trainer.model.parts import count_parts, quantized_layers
from trainer.model.patches import embed_patches_by_products
from trainer.model.weights import load_weights, save_weights
from trainer.run.events import AnyEvent, Notice, Phase


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    return folder


def edit(path: Path, **changes: Any) -> None:
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))


def test_a_base_gives_the_logits_of_plain_transformers(tiny_checkpoint: Path):
    plain = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    embed_patches_by_products(plain.model.visual)  # as convolution they round differently
    assert torch.equal(logits(load(tiny_checkpoint).eval()), logits(plain))


def test_training_keeps_no_cache(tiny_checkpoint: Path):
    model = load(tiny_checkpoint)
    assert model(**batch(model)).past_key_values is None


def test_loading_is_told_as_a_phase(tiny_checkpoint: Path):
    events: list[AnyEvent] = []
    load(tiny_checkpoint, notify=events.append)
    started, finished = [event for event in events if isinstance(event, Phase)]
    assert (started.name, started.state, finished.state) == ("load", "started", "finished")
    assert finished.seconds is not None


@pytest.mark.parametrize(
    ("attention", "of_vision", "text", "vision"),
    [
        ("auto", "auto", "sdpa_by_segment", "sdpa"),
        ("sdpa", "auto", "sdpa_by_segment", "sdpa"),
        ("eager", "auto", "eager", "eager"),
        ("eager", "sdpa", "eager", "sdpa"),
        ("auto", "eager", "sdpa_by_segment", "eager"),
    ],
)
def test_the_attention_asked_for_is_used(
    tiny_checkpoint: Path, attention: str, of_vision: str, text: str, vision: str
):
    model = load(tiny_checkpoint, attention=attention, vision_attention=of_vision)
    body = base_of(model).model
    assert body.language_model.config._attn_implementation == text
    assert body.visual.config._attn_implementation == vision
    described = model.config.to_json_string()  # what is saved beside the weights
    assert "sdpa_by_segment" not in described


@pytest.mark.parametrize("part", ["attention", "vision_attention"])
def test_flash_attention_that_is_not_installed_is_refused(tiny_checkpoint: Path, part: str):
    options: dict[str, Any] = {part: "flash_attention_2"}
    with pytest.raises(ModelError, match=rf"model\.{part}: .*flash-attn.*model\.{part}=sdpa"):
        load(tiny_checkpoint, **options)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load(tmp_path)
    with pytest.raises(ModelError, match="no such folder"):
        load(tmp_path / "missing")


def test_an_adapter_as_model_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    folder = save_weights(load(tiny_checkpoint), tmp_path)
    with pytest.raises(ModelError, match=r"set model\.adapter to it"):
        load(folder)


def test_another_architecture_is_refused(copy: Path):
    edit(copy / "config.json", model_type="llama")
    with pytest.raises(ModelError, match=r"llama is not supported.*qwen3_vl"):
        load(copy)


def test_a_config_that_is_no_json_is_refused(copy: Path):
    (copy / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is no JSON"):
        load(copy)


def test_pickled_weights_are_refused(copy: Path):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="only safetensors"):
        load(copy)


@pytest.mark.parametrize("name", ["../model.safetensors", "/tmp/model.safetensors", "model.bin"])
def test_an_index_that_leads_elsewhere_is_refused(copy: Path, name: str):
    index = {"weight_map": {"lm_head.weight": name}}
    (copy / "model.safetensors.index.json").write_bytes(orjson.dumps(index))
    with pytest.raises(ModelError, match="do not trust it"):
        load(copy)


def test_a_missing_shard_is_named(copy: Path):
    index = {"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_bytes(orjson.dumps(index))
    with pytest.raises(ModelError, match=r"model-00001-of-00002\.safetensors is missing"):
        load(copy)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8 + b"{}", b"\x10" + b"\0" * 7 + b"{" * 16])
def test_a_damaged_weight_file_is_refused(copy: Path, content: bytes):
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(copy)


def test_missing_and_unexpected_weights_are_named(copy: Path):
    path = copy / "model.safetensors"
    weights = load_file(path)
    weights["model.visual.extra.weight"] = weights.pop("model.visual.pos_embed.weight")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError) as caught:
        load(copy)
    assert "missing: model.visual.pos_embed.weight" in str(caught.value)
    assert "unexpected: model.visual.extra.weight" in str(caught.value)


def test_weights_of_another_shape_are_named(copy: Path):
    path = copy / "model.safetensors"
    weights = load_file(path)
    name = "model.language_model.norm.weight"
    weights[name] = weights[name][:-1].clone()
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"language_model\.norm\.weight"):
        load(copy)


def quantised(folder: Path, out: Path, skipped: list[str]) -> Path:
    how = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=skipped
    )
    model = AutoModelForImageTextToText.from_pretrained(folder, quantization_config=how)
    model.save_pretrained(out)
    return out


def test_a_checkpoint_stored_in_4_bits_is_taken_as_it_is(tiny_checkpoint: Path, tmp_path: Path):
    folder = quantised(tiny_checkpoint, tmp_path / "nf4", ["model.visual", "lm_head"])
    events: list[AnyEvent] = []
    model = load(folder, notify=events.append)
    assert len(quantized_layers(model)) == 28
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert any("stored in nf4" in message for message in notices)
    losses = train(model)
    assert losses[-1] < losses[0]


def test_a_checkpoint_stored_in_4_bits_cannot_be_trained_in_full(
    tiny_checkpoint: Path, tmp_path: Path
):
    folder = quantised(tiny_checkpoint, tmp_path / "nf4", ["model.visual", "lm_head"])
    with pytest.raises(ModelError, match=r"tune\.language is full.*stored quantised"):
        load(folder, {"language": "full"})


def test_a_checkpoint_with_a_quantised_tower_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    folder = quantised(tiny_checkpoint, tmp_path / "nf4", ["lm_head"])
    with pytest.raises(ModelError, match="quantised vision tower or head"):
        load(folder)


def test_a_checkpoint_quantised_by_another_method_is_refused(copy: Path):
    edit(copy / "config.json", quantization_config={"quant_method": "fp8"})
    with pytest.raises(ModelError, match="quantised with fp8"):
        load(copy)


def test_nf4_is_doubly_quantised_with_the_arithmetic_in_dtype(tiny_checkpoint: Path):
    for dtype, compute in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        config = run_config(tiny_checkpoint, quantization="nf4", dtype=dtype).model
        base = load_base(tiny_checkpoint, config, CPU, ignore)
        layer: Any = base.get_submodule("model.language_model.layers.0.mlp.up_proj")
        assert layer.compute_dtype == compute
        assert (layer.weight.quant_state.nested, layer.weight.quant_type) == (True, "nf4")


@pytest.fixture(scope="module")
def mixture(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny mixture-of-experts checkpoint with a head of its own."""
    from transformers import Qwen3VLConfig, Qwen3VLMoeConfig

    dense: Any = Qwen3VLConfig.from_pretrained(tiny_checkpoint)
    text = dense.text_config.to_dict() | {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 96,
    }
    vision = dense.vision_config.to_dict()
    tokens = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    config = Qwen3VLMoeConfig(
        text_config={key: value for key, value in text.items() if key != "model_type"},
        vision_config={key: value for key, value in vision.items() if key != "model_type"},
        tie_word_embeddings=False,
        **{name: getattr(dense, name) for name in tokens},
    )
    folder = tmp_path_factory.mktemp("mixture") / "moe"
    AutoModelForImageTextToText.from_config(config, dtype=torch.float32).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "tune",
    [{}, {"language": "full"}, {"language": "full", "aligner": "lora"}],
    ids=["lora", "full", "both"],
)
def test_a_mixture_of_experts_with_its_own_head_trains_and_resumes(
    mixture: Path, tmp_path: Path, tune: dict[str, str]
):
    events: list[AnyEvent] = []
    model = load(mixture, tune, events.append)
    missing = [event.message for event in events if isinstance(event, Notice)]
    assert any("gate_proj" in message for message in missing) is (tune == {})
    losses = train(model)
    assert losses[-1] < losses[0]
    count_parts(model, run_config(mixture, tune).tune)
    save_weights(model, tmp_path)
    again = load(mixture, tune, seed=4)
    load_weights(again, tmp_path)
    with evaluating(model), evaluating(again):
        assert torch.equal(logits(again), logits(model))
