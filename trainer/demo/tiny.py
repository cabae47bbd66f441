"""Write small Qwen-VL checkpoints with random weights: real classes, own tokenizer and template."""

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

from trainer.demo.shapes import example_texts

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
DEFAULT_CORPUS: tuple[str, ...] = tuple(example_texts())
MERGED_VOCABULARY = 512  # at most; a small corpus runs out of merges earlier
POSITION_GAIN = 8.0
REAL_VOCABULARY = 151_936
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_DEVIATION = [0.26862954, 0.26130258, 0.27577711]


def build_tiny_checkpoint(
    folder: Path,
    *,
    family: Family = "qwen3_vl",
    template: Template = "instruct",
    seed: int = 0,
    corpus: Iterable[str] = DEFAULT_CORPUS,
) -> Path:
    """The folder, holding a complete checkpoint of about 1.5 million random fp32 weights.

    The same arguments give the same bytes; the global random state is left as it was.
    A base checkpoint has no chat template. Raises ValueError for a Thinking checkpoint of a
    family that has none.
    """
    tokenizer = _train_tokenizer(corpus)
    tokenizer.chat_template = _chat_template(family, template)
    text, vision = _TINY_SHAPES[family]
    config = _config(family, tokenizer, {"vocab_size": _rows(tokenizer), **text}, vision)
    model = _random_model(config, seed)
    if family == "qwen3_vl":
        _amplify_positions(model)
    return _save(folder, model, tokenizer)


def build_benchmark_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """The folder, holding a Qwen3-VL of 138 million random fp32 weights and the real vocabulary.

    Small enough to time on a CPU, and like the real models dominated by the tied head.
    """
    tokenizer = _train_tokenizer(DEFAULT_CORPUS)
    tokenizer.chat_template = _chat_template("qwen3_vl", "instruct")
    config = _config("qwen3_vl", tokenizer, _BENCHMARK_TEXT, _BENCHMARK_VISION)
    return _save(folder, _random_model(config, seed), tokenizer)


# The usual 0.02 suits thousands of hidden units; with so few, signals would start out too faint.
_WIDE_START = {"initializer_range": 0.06}
_TINY_TEXT: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 320,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
    **_WIDE_START,
}
_TINY_SHAPES: dict[Family, tuple[dict[str, Any], dict[str, Any]]] = {
    "qwen3_vl": (
        {
            **_TINY_TEXT,
            "head_dim": 32,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        {
            "depth": 4,
            "hidden_size": 64,
            "intermediate_size": 192,
            "num_heads": 4,
            "out_hidden_size": 128,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1, 2],
            **_WIDE_START,
        },
    ),
    "qwen2_5_vl": (
        {
            **_TINY_TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1_000_000,
                "mrope_section": [4, 6, 6],
            },
        },
        {
            "depth": 4,
            "hidden_size": 64,
            "intermediate_size": 192,
            "num_heads": 4,
            "out_hidden_size": 128,
            "fullatt_block_indexes": [1, 3],
            **_WIDE_START,
        },
    ),
    "qwen2_vl": (
        {
            **_TINY_TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1_000_000,
                "mrope_section": [4, 6, 6],
            },
        },
        {
            "depth": 4,
            "embed_dim": 64,
            "num_heads": 4,
            "mlp_ratio": 3,
            "hidden_size": 128,
            **_WIDE_START,
        },
    ),
}
_BENCHMARK_TEXT: dict[str, Any] = {
    "vocab_size": REAL_VOCABULARY,
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "max_position_embeddings": 32_768,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 5_000_000,
        "mrope_section": [12, 10, 10],
        "mrope_interleaved": True,
    },
}
_BENCHMARK_VISION: dict[str, Any] = {
    "depth": 8,
    "hidden_size": 320,
    "intermediate_size": 1280,
    "num_heads": 8,
    "out_hidden_size": 512,
    "deepstack_visual_indexes": [1, 3, 5],
}


def _train_tokenizer(corpus: Iterable[str]) -> Qwen2Tokenizer:
    """A byte-level tokenizer with merges learnt from the corpus, control tokens after them."""
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


def _chat_template(family: Family, template: Template) -> str | None:
    if template == "base":
        return None
    name = template
    if family != "qwen3_vl":
        if template == "thinking":
            raise ValueError(f"{family}: no Thinking checkpoint exists; use template instruct")
        name = "qwen2_vl"
    return Path(__file__).with_name(f"{name}.jinja").read_text(encoding="utf-8")


def _rows(tokenizer: Qwen2Tokenizer) -> int:
    """The embedding's rows: like the real models, a round number above the vocabulary."""
    return (len(tokenizer) // 64 + 1) * 64


def _config(
    family: Family, tokenizer: Qwen2Tokenizer, text: dict[str, Any], vision: dict[str, Any]
) -> PretrainedConfig:
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
        tie_word_embeddings=True,
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


def _random_model(config: PretrainedConfig, seed: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # leaves the generators of GPUs alone
        return AutoModelForImageTextToText.from_config(config, dtype=torch.float32)


def _amplify_positions(model: PreTrainedModel) -> None:
    """Make a patch's place as loud as its pixels, or figures take long to be told apart."""
    with torch.no_grad():
        model.get_parameter("model.visual.pos_embed.weight").mul_(POSITION_GAIN)


def _save(folder: Path, model: PreTrainedModel, tokenizer: Qwen2Tokenizer) -> Path:
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        eos_token_id=tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _image_processor(model.config).save_pretrained(folder)
    return folder
