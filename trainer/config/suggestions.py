"""Models to start from, and the shapes that decide the memory that each wants."""

from dataclasses import dataclass

from trainer.config.variants import Concrete


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
