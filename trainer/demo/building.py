"""What checkpoints with random weights are made of: tokenizer, template, configuration, files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Tokenizer,
)
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

Family = Literal["qwen3_vl", "qwen2_5_vl", "qwen2_vl"]
Template = Literal["instruct", "thinking", "base"]

# In the order of the real vocabulary, where they follow the merges.
SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
    *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
# One token each as well, but text: a decoder that skips special tokens keeps them.
MARKUP_TOKENS = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    *("<tool_response>", "</tool_response>", "<think>", "</think>"),
)
MERGED_VOCABULARY = 512  # at most; a small corpus runs out of merges earlier
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_DEVIATION = [0.26862954, 0.26130258, 0.27577711]


def train_tokenizer(corpus: Iterable[str]) -> Qwen2Tokenizer:
    """Return a byte-level tokenizer with merges learnt from the corpus, control tokens behind."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.NFC()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED_VOCABULARY,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(corpus, trainer)
    learnt = json.loads(learner.to_str())["model"]
    return _with_control_tokens(learnt["vocab"], [tuple(pair) for pair in learnt["merges"]])


def _with_control_tokens(
    vocabulary: dict[str, int], merges: list[tuple[str, ...]]
) -> Qwen2Tokenizer:
    control = [
        *(AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS),
        *(AddedToken(token, special=False, normalized=False) for token in MARKUP_TOKENS),
    ]
    options: dict[str, Any] = {
        "vocab": vocabulary,
        "merges": merges,
        "added_tokens_decoder": dict(enumerate(control, start=len(vocabulary))),
        "extra_special_tokens": list(SPECIAL_TOKENS[1:]),
        "unk_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 32_768,
    }
    return Qwen2Tokenizer(**options)


def chat_template_of(family: Family, template: Template) -> str | None:
    """Return a template's text, None for a base model; ValueError where there is none."""
    if template == "base":
        return None
    name = template
    if family != "qwen3_vl":
        if template == "thinking":
            raise ValueError(f"{family}: no Thinking checkpoint exists; use template instruct")
        name = "qwen2_vl"
    return Path(__file__).with_name(f"{name}.jinja").read_text(encoding="utf-8")


def configuration(
    family: Family,
    tokenizer: Qwen2Tokenizer,
    text: dict[str, Any],
    vision: dict[str, Any],
    *,
    tied: bool = True,
) -> PretrainedConfig:
    """Return a model's configuration, with the control tokens where the tokenizer has them."""
    control = tokenizer.get_vocab()
    ends = {"bos_token_id": control["<|endoftext|>"], "eos_token_id": control["<|im_end|>"]}
    return AutoConfig.for_model(
        family,
        text_config={**text, **ends},
        vision_config=vision,
        image_token_id=control["<|image_pad|>"],
        video_token_id=control["<|video_pad|>"],
        vision_start_token_id=control["<|vision_start|>"],
        vision_end_token_id=control["<|vision_end|>"],
        tie_word_embeddings=tied,
    )


def _image_processor(config: PretrainedConfig) -> Qwen2VLImageProcessorPil:
    patch, merge = config.vision_config.patch_size, config.vision_config.spatial_merge_size
    newest = config.model_type == "qwen3_vl"
    return Qwen2VLImageProcessorPil(
        patch_size=patch,
        merge_size=merge,
        size={"shortest_edge": (patch * merge) ** 2, "longest_edge": 1024 * (patch * merge) ** 2},
        image_mean=[0.5] * 3 if newest else CLIP_MEAN,
        image_std=[0.5] * 3 if newest else CLIP_DEVIATION,
    )


def random_model(
    config: PretrainedConfig,
    seed: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> PreTrainedModel:
    """Return the model with random weights; on the CPU the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.default_generator.manual_seed(seed)  # leaves the generators of GPUs alone
        return AutoModelForImageTextToText.from_config(config, dtype=dtype)


def save(folder: Path, model: PreTrainedModel, tokenizer: Qwen2Tokenizer) -> Path:
    """Write all files of a checkpoint and return its folder."""
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        eos_token_id=tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _image_processor(model.config).save_pretrained(folder)
    return folder
