"""Models to start from, with the GPU memory that each wants."""

from dataclasses import asdict, dataclass

from trainer.config.variants import Concrete

GIB = 2**30
NF4_BYTES = 4.127 / 8  # 4 bits, and 0.127 for the doubly quantised scales of blocks of 64
BF16_BYTES = 2
LORA_RANK = 16
LORA_BYTES = 4 + 4 + 2  # fp32 weight, fp32 gradient, 8-bit AdamW's two moments
LENGTH_TOKENS = 2048
LABEL_TOKENS = 512
CHUNK_LOGITS = 2**25  # that the head works out at once
LOGIT_BYTES = 12  # of the work on each in bf16, 4 less in fp32
CONTEXT_BYTES = 1.0 * GIB  # CUDA, cuBLAS and what the allocator cannot use


def values_kept(hidden: int, attention: int, mlp: int) -> int:
    """Return how many values a layer keeps of each token for the backward pass, about.

    Inputs of norms and of projections, and their dropped-out copies for LoRA.
    """
    return 8 * hidden + 4 * attention + 6 * mlp


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedModel:
    """A checkpoint on the hub and the shapes that decide its memory.

    `linear_parameters` are those of the language model's linear layers, which NF4 stores in 4 bits;
    vision tower, embeddings, head and experts stay in bf16. `active_mlp_size` counts the experts
    that see one token.
    """

    path: str
    variant: Concrete
    parameters: int
    linear_parameters: int
    layers: int
    hidden_size: int
    attention_size: int
    key_value_size: int
    active_mlp_size: int
    experts: bool = False
    vocabulary: int = 151_936
    already_quantized: bool = False
    note: str = ""

    @property
    def qlora_memory_bytes(self) -> int:
        """GPU memory of LoRA on an NF4 model: batch 1, 2,048 tokens, no checkpointing."""
        return round(self._nf4_weights + self._activations(LENGTH_TOKENS) + self._overhead)

    @property
    def low_memory_bytes(self) -> int:
        """GPU memory of the low-memory preset: NF4, 1,024 tokens, activation checkpointing.

        One layer's activations are held at a time, and the input of every layer.
        """
        tokens = LENGTH_TOKENS // 2
        inputs = self.layers * tokens * self.hidden_size * BF16_BYTES
        one_layer = self._activations(tokens) / self.layers
        return round(self._nf4_weights + inputs + one_layer + self._overhead)

    @property
    def lora_memory_bytes(self) -> int | None:
        """GPU memory of LoRA on the bf16 model; None where there are only quantised weights."""
        if self.already_quantized:
            return None
        weights = self.parameters * BF16_BYTES
        return round(weights + self._activations(LENGTH_TOKENS) + self._overhead)

    @property
    def _nf4_weights(self) -> float:
        rest = self.parameters - self.linear_parameters
        return self.linear_parameters * NF4_BYTES + rest * BF16_BYTES

    def _activations(self, tokens: int) -> float:
        """What all layers keep for the backward pass, in bytes."""
        kept = values_kept(self.hidden_size, self.attention_size, self.active_mlp_size)
        return self.layers * tokens * kept * BF16_BYTES

    @property
    def _overhead(self) -> float:
        """What is held besides frozen weights and activations, in bytes."""
        logits = min(LABEL_TOKENS * self.vocabulary, CHUNK_LOGITS) * LOGIT_BYTES
        return logits + self._lora_parameters * LORA_BYTES + CONTEXT_BYTES

    @property
    def _lora_parameters(self) -> int:
        hidden, attention = self.hidden_size, self.attention_size
        widths = 2 * (hidden + attention) + 2 * (hidden + self.key_value_size)
        if not self.experts:
            widths += 3 * (hidden + self.active_mlp_size)
        return LORA_RANK * self.layers * widths

    def as_json(self) -> dict[str, object]:
        """Return the model as one JSON object, with its memory."""
        memory: dict[str, object] = {
            "qlora_memory_bytes": self.qlora_memory_bytes,
            "low_memory_bytes": self.low_memory_bytes,
            "lora_memory_bytes": self.lora_memory_bytes,
        }
        return asdict(self) | memory


def _qwen3_vl(size: str, variant: Concrete, path: str | None = None) -> SuggestedModel:
    shapes = {
        "2B": (2_127_532_032, 1_409_286_144, 28, 2048, 2048, 1024, 6144),
        "4B": (4_437_815_808, 3_633_315_840, 36, 2560, 4096, 1024, 9728),
        "8B": (8_767_123_696, 6_945_767_424, 36, 4096, 4096, 1024, 12_288),
        "30B-A3B": (31_070_754_032, 905_969_664, 48, 2048, 4096, 512, 6144),
    }
    parameters, linear, layers, hidden, attention, key_value, mlp = shapes[size]
    experts = size == "30B-A3B"
    return SuggestedModel(
        path=path or f"Qwen/Qwen3-VL-{size}-{variant.capitalize()}",
        variant=variant,
        parameters=parameters,
        linear_parameters=linear,
        layers=layers,
        hidden_size=hidden,
        attention_size=attention,
        key_value_size=key_value,
        active_mlp_size=mlp,
        experts=experts,
        note="the experts stay in bf16 and without LoRA" if experts else "",
    )


SUGGESTED_MODELS = (
    _qwen3_vl("2B", "instruct"),
    _qwen3_vl("2B", "thinking"),
    _qwen3_vl("4B", "instruct"),
    _qwen3_vl("4B", "thinking"),
    _qwen3_vl("8B", "instruct"),
    _qwen3_vl("8B", "thinking"),
    _qwen3_vl("30B-A3B", "instruct"),
    _qwen3_vl("30B-A3B", "thinking"),
    _qwen3_vl("2B", "thinking", "huihui-ai/Huihui-Qwen3-VL-2B-Thinking-abliterated"),
    SuggestedModel(
        path="Qwen/Qwen2.5-VL-3B-Instruct",
        variant="instruct",
        parameters=3_754_622_976,
        linear_parameters=2_774_532_096,
        layers=36,
        hidden_size=2048,
        attention_size=2048,
        key_value_size=256,
        active_mlp_size=11_008,
    ),
    SuggestedModel(
        path="Qwen/Qwen2-VL-2B-Instruct",
        variant="instruct",
        parameters=2_208_985_600,
        linear_parameters=1_310_195_712,
        layers=28,
        hidden_size=1536,
        attention_size=1536,
        key_value_size=256,
        active_mlp_size=8960,
    ),
    SuggestedModel(
        path="unsloth/Qwen2-VL-7B-Instruct-bnb-4bit",
        variant="instruct",
        parameters=8_291_375_616,
        linear_parameters=6_525_288_448,
        layers=28,
        hidden_size=3584,
        attention_size=3584,
        key_value_size=512,
        active_mlp_size=18_944,
        vocabulary=152_064,
        already_quantized=True,
        note="quantised already: set model.quantization=nf4",
    ),
)
