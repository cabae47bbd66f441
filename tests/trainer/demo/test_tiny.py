"""The small checkpoints load with the ordinary classes, run, and are the same for the same seed."""

import hashlib
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    GenerationConfig,
)

from trainer.demo.building import MARKUP_TOKENS, SPECIAL_TOKENS, Family
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.demo.tiny import build_tiny_checkpoint

# B samples, T tokens, V vocabulary rows
EMBEDDING = "model.language_model.embed_tokens.weight"
FAMILIES: list[Family] = ["qwen3_vl", "qwen2_5_vl", "qwen2_vl"]


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / request.param
    return build_tiny_checkpoint(folder, family=request.param)


def inputs(checkpoint: Path, pictures: list[int]) -> dict[str, torch.Tensor]:
    """One padded batch with the given number of pictures in each sample."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    processor = AutoImageProcessor.from_pretrained(checkpoint, backend="pil")
    images = [Image.new("RGB", (96, 64), (40 * i, 90, 10)) for i in range(sum(pictures))]
    batch: dict[str, torch.Tensor] = {}
    if images:
        batch.update(processor(images, return_tensors="pt"))
    merged = processor.merge_size**2
    grids = batch.get("image_grid_thw", torch.zeros(0, 3, dtype=torch.long))
    spans = iter("<|image_pad|>" * (int(grid.prod()) // merged) for grid in grids)
    texts = [
        "".join(f"<|vision_start|>{next(spans)}<|vision_end|> " for _ in range(number)) + "what?"
        for number in pictures
    ]
    batch.update(tokenizer(texts, return_tensors="pt", padding=True))
    pad = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    batch["mm_token_type_ids"] = (batch["input_ids"] == pad).long()
    return batch


@pytest.mark.parametrize("pictures", [[1], [2], [0], [1, 2, 0]])
def test_forward_and_backward_run_with_one_two_and_no_pictures(
    checkpoint: Path, pictures: list[int]
):
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    batch = inputs(checkpoint, pictures)
    logits = model(**batch).logits  # (B, T, V)
    assert logits.shape[:2] == batch["input_ids"].shape
    assert torch.isfinite(logits).all()
    logits.sum().backward()
    vision = [weight.grad for weight in model.model.visual.parameters()]
    assert any(grad is not None and bool(grad.any()) for grad in vision) == bool(sum(pictures))


def test_a_picture_changes_what_the_model_says(checkpoint: Path):
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    batch = inputs(checkpoint, [1])
    with torch.no_grad():
        before = model(**batch).logits
        after = model(**{**batch, "pixel_values": -batch["pixel_values"]}).logits
    assert (before - after).abs().max() > 1e-3


def test_generation_stops_at_either_end_token(checkpoint: Path):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert GenerationConfig.from_pretrained(checkpoint).eos_token_id == ends
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")


def test_control_tokens_are_single_and_only_the_special_ones_are_skipped(checkpoint: Path):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    for token in SPECIAL_TOKENS + MARKUP_TOKENS:
        ids = tokenizer(f"a{token}b")["input_ids"]
        assert len(ids) == 3
        kept = tokenizer.decode(ids, skip_special_tokens=True)
        assert kept == ("ab" if token in SPECIAL_TOKENS else f"a{token}b")


@pytest.mark.parametrize(
    "text", ["assistant\n", "图片_1: 类型/属性", "🙂🇩🇪", "\n\n  x\t1e-4", "\u00e9"]
)
def test_any_text_survives_the_tokenizer(checkpoint: Path, text: str):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_model_knows_the_tokenizers_ids_and_has_spare_rows(checkpoint: Path):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    ids = tokenizer.convert_tokens_to_ids(["<|image_pad|>", "<|vision_start|>"])
    assert [model.config.image_token_id, model.config.vision_start_token_id] == ids
    assert model.get_parameter(EMBEDDING).shape[0] > len(tokenizer)
    assert model.config.tie_word_embeddings
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert 1_000_000 < sum(weight.numel() for weight in model.parameters()) < 1_600_000


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_files_and_another_seed_other_weights(tmp_path: Path):
    first = digests(build_tiny_checkpoint(tmp_path / "a", seed=1))
    torch.rand(3)
    again = digests(build_tiny_checkpoint(tmp_path / "b", seed=1))
    other = digests(build_tiny_checkpoint(tmp_path / "c", seed=2))
    assert first == again
    assert {name for name in first if first[name] != other[name]} == {"model.safetensors"}


def test_building_leaves_the_global_random_state_alone(tmp_path: Path):
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    build_tiny_checkpoint(tmp_path)
    assert torch.equal(torch.rand(4), expected)


def test_a_base_checkpoint_has_no_chat_template(tmp_path: Path):
    build_tiny_checkpoint(tmp_path, template="base")
    assert AutoTokenizer.from_pretrained(tmp_path).chat_template is None


def test_a_thinking_checkpoint_of_an_older_family_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no Thinking checkpoint"):
        build_tiny_checkpoint(tmp_path / "x", family="qwen2_vl", template="thinking")
    assert not (tmp_path / "x").exists()


def test_a_corpus_of_ones_own_gives_its_words_tokens(tmp_path: Path):
    build_tiny_checkpoint(tmp_path, corpus=["zebra zebra zebra"])
    assert AutoTokenizer.from_pretrained(tmp_path).tokenize("zebra") == ["zebra"]


@pytest.mark.slow
def test_the_benchmark_checkpoint_has_138_million_weights_and_the_real_vocabulary(tmp_path: Path):
    build_benchmark_checkpoint(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert 135_000_000 < sum(weight.numel() for weight in model.parameters()) < 141_000_000
    assert model.get_parameter(EMBEDDING).shape[0] == 151_936
    with torch.no_grad():
        assert torch.isfinite(model(**inputs(tmp_path, [1])).logits).all()
