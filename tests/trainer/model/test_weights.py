"""What is saved is what was trained, loads with the plain libraries, and comes back to the bit."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from tests.trainer.model.building import (
    PEFT_ASKS_BY_AN_OLDER_NAME,
    load,
    logits,
    train,
)
from trainer.model.errors import ModelError
from trainer.model.modes import evaluating
from trainer.model.parts import is_lora, trainable_parameters
from trainer.model.patches import embed_patches_by_products
from trainer.model.weights import adapter_tensors, load_weights, save_final, save_weights

pytestmark = pytest.mark.filterwarnings(PEFT_ASKS_BY_AN_OLDER_NAME)

FULL = {"vision": "full", "aligner": "full", "language": "full"}
ADAPTERS = [
    {},
    {"vision": "lora", "aligner": "lora"},
    {"vision": "frozen", "aligner": "full"},
    {"vision": "full", "aligner": "lora"},
    {"aligner": "lora", "language": "full"},
]


def trained(folder: Path, tune: dict[str, str], **model: Any) -> Any:
    result = load(folder, tune, **model)
    train(result)
    return result


def trained_values(model: Any) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in trainable_parameters(model).items()}


@pytest.mark.parametrize("tune", ADAPTERS)
@pytest.mark.parametrize("family", ["qwen3_vl", pytest.param("qwen2_vl", marks=pytest.mark.slow)])
def test_plain_peft_gives_the_logits_of_the_trainer(
    families: dict[str, Path], tmp_path: Path, family: str, tune: dict[str, str]
):
    model = trained(families[family], tune)
    base = AutoModelForImageTextToText.from_pretrained(families[family])
    untrained = logits(base)
    plain = PeftModel.from_pretrained(base, save_weights(model, tmp_path)).eval()
    with evaluating(model):
        own = logits(model)
    assert (own - untrained).abs().max() > 0.1
    torch.testing.assert_close(logits(plain), own, rtol=0, atol=1e-5)


def test_plain_peft_in_bf16_gives_the_logits_of_the_trainer(tiny_checkpoint: Path, tmp_path: Path):
    model = trained(tiny_checkpoint, {"vision": "lora", "aligner": "lora"}, dtype="bf16")
    base = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16)
    embed_patches_by_products(base.model.visual)  # as convolution they round differently
    plain = PeftModel.from_pretrained(base, save_weights(model, tmp_path)).eval()
    with evaluating(model):
        torch.testing.assert_close(logits(plain), logits(model), rtol=0, atol=1e-2)


def test_plain_peft_rounds_only_fully_trained_parts_to_the_dtype_of_its_base(
    tiny_checkpoint: Path, tmp_path: Path
):
    model = trained(tiny_checkpoint, {"vision": "full", "aligner": "lora"}, dtype="bf16")
    base = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16)
    plain = PeftModel.from_pretrained(base, save_weights(model, tmp_path)).eval()
    for name, weight in trainable_parameters(model).items():
        if not is_lora(name):
            weight.data = weight.data.to(torch.bfloat16)
    with evaluating(model):
        torch.testing.assert_close(logits(plain), logits(model), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("tune", "options"),
    [
        ({"vision": "lora"}, {}),
        ({"vision": "lora", "aligner": "full"}, {"quantization": "nf4", "dtype": "bf16"}),
        pytest.param({"aligner": "lora", "language": "full"}, {}, marks=pytest.mark.slow),
        (FULL, {"dtype": "bf16"}),
        ({"vision": "full", "language": "frozen"}, {"dtype": "bf16"}),
        ({"vision": "full", "language": "frozen"}, {"quantization": "nf4"}),
        pytest.param(
            {"vision": "full", "language": "frozen"},
            {"quantization": "int8", "dtype": "bf16"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_round_trip_keeps_every_bit_and_the_same_weights_give_the_same_bytes(
    tiny_checkpoint: Path, tmp_path: Path, tune: dict[str, str], options: dict[str, Any]
):
    first = trained(tiny_checkpoint, tune, **options)
    expected = trained_values(first)
    folder = save_weights(first, tmp_path / "first")
    assert all(torch.equal(expected[n], w) for n, w in trainable_parameters(first).items())
    second = load(tiny_checkpoint, tune, seed=5, **options)
    load_weights(second, tmp_path / "first")
    for name, weight in trainable_parameters(second).items():
        assert torch.equal(weight, expected[name]), name
        assert weight.requires_grad
        assert weight.dtype == torch.float32
    again = save_weights(second, tmp_path / "second")
    assert digests(folder) == digests(again)
    assert train(first) == train(second)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_an_adapter_folder_holds_two_files_and_names_its_base(
    tiny_checkpoint: Path, tmp_path: Path
):
    model = load(tiny_checkpoint)
    folder = save_weights(model, tmp_path)
    assert sorted(digests(folder)) == ["adapter_config.json", "adapter_model.safetensors"]
    assert str(tiny_checkpoint) in (folder / "adapter_config.json").read_text()
    assert not model.active_peft_config.inference_mode
    with safe_open(folder / "adapter_model.safetensors", "pt") as opened:
        assert opened.metadata() == {"format": "pt"}


def test_a_whole_model_loads_with_plain_transformers(tiny_checkpoint: Path, tmp_path: Path):
    model = trained(tiny_checkpoint, FULL)
    loaded: Any = AutoModelForImageTextToText.from_pretrained(
        save_weights(model, tmp_path), output_loading_info=True
    )
    plain, loading = loaded
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    with evaluating(model):
        torch.testing.assert_close(logits(plain), logits(model), rtol=0, atol=1e-5)


def test_the_final_model_is_in_the_dtype_asked_for_and_training_keeps_its_masters(
    tiny_checkpoint: Path, tmp_path: Path
):
    model = trained(tiny_checkpoint, FULL, dtype="bf16")
    before = trained_values(model)
    folder = save_final(model, tmp_path, torch.bfloat16)
    stored = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.bfloat16}
    assert '"dtype": "bfloat16"' in (folder / "config.json").read_text()
    for name, weight in trainable_parameters(model).items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, before[name])
    plain = AutoModelForImageTextToText.from_pretrained(folder)
    with evaluating(model):
        own = logits(model)
    assert (logits(plain) - own).abs().max() <= 1e-2 * max(1.0, own.abs().max().item())


def test_a_large_model_is_written_in_shards(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("trainer.model.weights.LARGEST_SHARD", "1MB")
    model = trained(tiny_checkpoint, FULL)
    folder = save_weights(model, tmp_path)
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 3
    again = load(tiny_checkpoint, FULL)
    load_weights(again, tmp_path)
    expected = trained_values(model)
    assert all(torch.equal(w, expected[n]) for n, w in trainable_parameters(again).items())


def test_an_adapter_with_a_weight_too_few_or_too_many_is_refused(
    tiny_checkpoint: Path, tmp_path: Path
):
    model = load(tiny_checkpoint)
    path = save_weights(model, tmp_path) / "adapter_model.safetensors"
    complete = load_file(path)
    name = next(iter(complete))
    save_file({n: w for n, w in complete.items() if n != name}, path)
    with pytest.raises(ModelError, match="holds other weights"):
        load_weights(model, tmp_path)
    save_file({**complete, "extra": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="extra"):
        load_weights(model, tmp_path)
    save_file({**complete, name: complete[name][:1].clone()}, path)
    with pytest.raises(ModelError, match="holds other weights"):
        load_weights(model, tmp_path)


def test_another_rank_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    save_weights(load(tiny_checkpoint, {"rank": 4}), tmp_path)
    with pytest.raises(ModelError, match="holds other weights"):
        load_weights(load(tiny_checkpoint), tmp_path)


@pytest.mark.parametrize("tune", [{}, FULL])
def test_damaged_and_missing_files_are_refused(
    tiny_checkpoint: Path, tmp_path: Path, tune: dict[str, str]
):
    model = load(tiny_checkpoint, tune)
    folder = save_weights(model, tmp_path)
    file = next(folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(model, tmp_path)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(model, tmp_path)


def test_a_whole_model_with_a_weight_too_few_is_refused(tiny_checkpoint: Path, tmp_path: Path):
    model = load(tiny_checkpoint, FULL)
    path = save_weights(model, tmp_path) / "model.safetensors"
    kept = load_file(path)
    kept.pop("model.visual.pos_embed.weight")
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="pos_embed"):
        load_weights(model, tmp_path)


def test_a_quantised_base_that_changed_is_noticed(
    tiny_checkpoint: Path, thinking_checkpoint: Path, tmp_path: Path
):
    tune = {"vision": "full", "language": "frozen"}
    other = tmp_path / "other"
    shutil.copytree(thinking_checkpoint, other)
    stored = load_file(other / "model.safetensors")
    save_file(
        {n: w * 1.5 for n, w in stored.items()}, other / "model.safetensors", {"format": "pt"}
    )
    save_weights(load(tiny_checkpoint, tune, quantization="nf4"), tmp_path)
    with pytest.raises(ModelError, match="quantised from another base"):
        load_weights(load(other, tune, quantization="nf4"), tmp_path)


def test_the_tensors_of_an_adapter_are_the_models_own(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, {"aligner": "lora", "language": "full"})
    pointers = {weight.data_ptr() for weight in trainable_parameters(model).values()}
    assert {weight.data_ptr() for weight in adapter_tensors(model).values()} == pointers
