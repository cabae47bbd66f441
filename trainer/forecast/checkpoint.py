"""What a checkpoint is made of, from config.json and the headers of its safetensors files."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.config.model import ModelConfig
from trainer.config.suggestions import SUGGESTED_MODELS, SuggestedModel
from trainer.data.pictures import read_json_object

PartName = Literal["vision", "aligner", "language"]

LONGEST_HEADER_BYTES = 100 * 2**20  # safetensors' own limit
ALIGNER = ("visual.merger.", "visual.deepstack_merger_list.")
DRAWN_FROM_TABLES = ("embed_tokens.weight", "pos_embed.weight", "lm_head.weight")


@dataclass(frozen=True)
class Tensor:
    """One stored tensor."""

    name: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)

    @property
    def part(self) -> PartName:
        """The part of the model it belongs to."""
        if any(prefix in self.name for prefix in ALIGNER):
            return "aligner"
        return "vision" if "visual." in self.name else "language"

    @property
    def layer(self) -> str | None:
        """The name of the linear layer whose weight it is, as the loaded model calls it."""
        if len(self.shape) != 2 or self.name.endswith(DRAWN_FROM_TABLES):
            return None
        name = self.name.removesuffix(".weight")
        if name.startswith("visual."):
            return f"model.{name}"
        if name.startswith("model.layers."):
            return name.replace("model.layers.", "model.language_model.layers.", 1)
        return name


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The shapes that decide memory and time."""

    layers: int
    hidden: int
    heads: int
    attention: int  # heads times their width
    mlp: int  # of the experts that see one token, together
    experts: int = 0  # that see one token; 0: there is one MLP
    vocabulary: int
    vision_layers: int
    vision_hidden: int
    vision_mlp: int
    merge: int = 2  # patches to a side of a visual token
    window: int | None = None  # patches to a side of an attention window
    full_attention: tuple[int, ...] | None = None  # blocks without windows; None: all
    tensors: tuple[Tensor, ...]
    stored_quantized: bool
    source: str  # where this was read

    @property
    def stored_bytes(self) -> int:
        """Size of all tensors in the files."""
        return sum(tensor.bytes for tensor in self.tensors)


def find_checkpoint(model: ModelConfig) -> Checkpoint | None:
    """Return the shapes of the model: from its folder, the hub's cache or our list; or None."""
    folder = checkpoint_folder(model)
    if folder is not None and (found := read_checkpoint(folder)):
        return found
    suggested = (it for it in SUGGESTED_MODELS if it.path == model.path)
    return next((shapes_of(it) for it in suggested), None)


def checkpoint_folder(model: ModelConfig) -> Path | None:
    """Return the folder of a local model or of a hub id that is in the cache already."""
    if Path(model.path).is_absolute():
        return Path(model.path)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(
            model.path, "config.json", cache_dir=model.cache_dir, revision=model.revision
        )
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the shapes of a checkpoint in a folder, None where they cannot be read."""
    config = read_json_object(folder / "config.json")
    text, vision = config.get("text_config") or config, config.get("vision_config") or {}
    tensors = tuple(
        tensor for path in sorted(folder.glob("*.safetensors")) for tensor in read_header(path)
    )
    try:
        heads = int(text["num_attention_heads"])
        width = int(text.get("head_dim") or text["hidden_size"] // heads)
        vision_hidden = int(vision.get("embed_dim") or vision["hidden_size"])
        return Checkpoint(
            layers=int(text["num_hidden_layers"]),
            hidden=int(text["hidden_size"]),
            heads=heads,
            attention=heads * width,
            mlp=_active_mlp(text),
            experts=int(text.get("num_experts_per_tok") or 0),
            vocabulary=int(text["vocab_size"]),
            vision_layers=int(vision["depth"]),
            vision_hidden=vision_hidden,
            vision_mlp=_vision_mlp(vision, vision_hidden),
            merge=int(vision.get("spatial_merge_size", 2)),
            window=_window(vision),
            full_attention=_full_attention(vision),
            tensors=tensors,
            stored_quantized="quantization_config" in config,
            source=str(folder),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _active_mlp(text: dict[str, Any]) -> int:
    if experts := text.get("num_experts_per_tok"):
        return int(text["moe_intermediate_size"]) * int(experts)
    return int(text["intermediate_size"])


def _vision_mlp(vision: dict[str, Any], hidden: int) -> int:
    return int(vision.get("intermediate_size") or hidden * vision.get("mlp_ratio", 4))


def _window(vision: dict[str, Any]) -> int | None:
    """Patches to a side of a window, as `get_window_index` of Qwen2.5-VL cuts them."""
    if "window_size" not in vision:
        return None
    merge = int(vision["spatial_merge_size"])
    return int(vision["window_size"]) // merge // int(vision["patch_size"]) * merge


def _full_attention(vision: dict[str, Any]) -> tuple[int, ...] | None:
    blocks = vision.get("fullatt_block_indexes")
    return None if blocks is None else tuple(map(int, blocks))


def read_header(path: Path) -> list[Tensor]:
    """Return the tensors that a safetensors file lists; none where its header is broken.

    The format: eight bytes with the header's length, little endian, then the header as JSON.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LONGEST_HEADER_BYTES else {}
        return [
            Tensor(name, tuple(spec["shape"]), spec["data_offsets"][1] - spec["data_offsets"][0])
            for name, spec in header.items()
            if name != "__metadata__"
        ]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
        return []


def shapes_of(model: SuggestedModel) -> Checkpoint:
    """Return the shapes of a known model, which need not be on this machine."""
    rest = model.parameters - model.linear_parameters
    table = min(model.vocabulary * model.hidden_size, rest)
    tensors = [_bf16("model.embed_tokens.weight", (model.vocabulary, model.hidden_size))]
    tensors += [_bf16("model.visual.all", (rest - table,))]
    tensors += [
        _bf16(f"model.layers.{layer}.{name}.weight", shape)
        for layer in range(model.layers)
        for name, shape in _layer_shapes(model).items()
    ]
    return Checkpoint(
        layers=model.layers,
        hidden=model.hidden_size,
        heads=model.attention_size // 128,
        attention=model.attention_size,
        mlp=model.active_mlp_size,
        vocabulary=model.vocabulary,
        vision_layers=24,
        vision_hidden=1024,
        vision_mlp=4096,
        tensors=tuple(tensors),
        stored_quantized=False,
        source="the list of known models",
    )


def _bf16(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, math.prod(shape) * 2)


def _layer_shapes(model: SuggestedModel) -> dict[str, tuple[int, int]]:
    hidden, attention, mlp = model.hidden_size, model.attention_size, model.active_mlp_size
    shapes = {
        "self_attn.q_proj": (attention, hidden),
        "self_attn.k_proj": (model.key_value_size, hidden),
        "self_attn.v_proj": (model.key_value_size, hidden),
        "self_attn.o_proj": (hidden, attention),
    }
    if not model.experts:
        shapes |= {
            "mlp.gate_proj": (mlp, hidden),
            "mlp.up_proj": (mlp, hidden),
            "mlp.down_proj": (hidden, mlp),
        }
    return shapes
