"""Write tiny Qwen-VL checkpoints with random weights: real classes, own tokenizer and template."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Qwen2Tokenizer

from trainer.demo.building import (
    Family,
    Template,
    chat_template_of,
    configuration,
    random_model,
    save,
    train_tokenizer,
)
from trainer.demo.shapes import example_texts

DEFAULT_CORPUS: tuple[str, ...] = tuple(example_texts())
POSITION_GAIN = 8.0


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
    tokenizer = train_tokenizer(corpus)
    tokenizer.chat_template = chat_template_of(family, template)
    text, vision = _TINY_SHAPES[family]
    config = configuration(family, tokenizer, {"vocab_size": _rows(tokenizer), **text}, vision)
    model = random_model(config, seed)
    if family == "qwen3_vl":
        _amplify_positions(model)
    return save(folder, model, tokenizer)


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


def _amplify_positions(model: PreTrainedModel) -> None:
    """Make a patch's place as loud as its pixels, or figures take long to be told apart."""
    with torch.no_grad():
        model.get_parameter("model.visual.pos_embed.weight").mul_(POSITION_GAIN)


def _rows(tokenizer: Qwen2Tokenizer) -> int:
    """The embedding's rows: like the real models, a round number above the vocabulary."""
    return (len(tokenizer) // 64 + 1) * 64
