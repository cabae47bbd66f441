"""The shapes of the published models, and of a small one to time on a CPU."""

from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["138m", "2b", "4b", "8b"]
REAL_VOCABULARY = 151_936


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The numbers in which the models differ."""

    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    intermediate: int
    tied: bool
    vision_depth: int
    vision_hidden: int
    vision_heads: int
    vision_intermediate: int
    deepstack: tuple[int, int, int]

    def text(self) -> dict[str, Any]:
        """Return the language model's configuration."""
        half = self.head_dim // 2
        height = half * 5 // 16  # of the rotary dimensions; time takes the rest
        return {
            "vocab_size": REAL_VOCABULARY,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": 32_768,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": [half - 2 * height, height, height],
                "mrope_interleaved": True,
            },
        }

    def vision(self) -> dict[str, Any]:
        """Return the vision tower's configuration."""
        return {
            "depth": self.vision_depth,
            "hidden_size": self.vision_hidden,
            "intermediate_size": self.vision_intermediate,
            "num_heads": self.vision_heads,
            "out_hidden_size": self.hidden,
            "deepstack_visual_indexes": list(self.deepstack),
        }


_TOWER_OF_2B = {
    "vision_depth": 24,
    "vision_hidden": 1024,
    "vision_heads": 16,
    "vision_intermediate": 4096,
    "deepstack": (5, 11, 17),
}
SHAPES: dict[Size, Shape] = {
    "138m": Shape(
        hidden=512,
        layers=12,
        heads=8,
        key_value_heads=4,
        head_dim=64,
        intermediate=1536,
        tied=True,
        vision_depth=8,
        vision_hidden=320,
        vision_heads=8,
        vision_intermediate=1280,
        deepstack=(1, 3, 5),
    ),
    "2b": Shape(
        hidden=2048,
        layers=28,
        heads=16,
        key_value_heads=8,
        head_dim=128,
        intermediate=6144,
        tied=True,
        **_TOWER_OF_2B,
    ),
    "4b": Shape(
        hidden=2560,
        layers=36,
        heads=32,
        key_value_heads=8,
        head_dim=128,
        intermediate=9728,
        tied=True,
        **_TOWER_OF_2B,
    ),
    "8b": Shape(
        hidden=4096,
        layers=36,
        heads=32,
        key_value_heads=8,
        head_dim=128,
        intermediate=12288,
        tied=False,
        vision_depth=27,
        vision_hidden=1152,
        vision_heads=16,
        vision_intermediate=4304,
        deepstack=(8, 16, 24),
    ),
}
