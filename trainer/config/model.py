"""The options of the model: which checkpoint, how it is held in memory, what of it is trained."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trainer.config.scalars import off_for_false, off_or_all
from trainer.config.section import Folder, Number, Section, Whole

PartMode = Literal["frozen", "lora", "full"]
Variant = Literal["auto", "instruct", "thinking", "base"]
VisionCache = Annotated[Literal["off", "memory", "disk", "auto"], BeforeValidator(off_for_false)]
Recomputed = Annotated[Literal["off", "language", "vision", "all"], BeforeValidator(off_or_all)]
Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]
Compiled = Annotated[Literal["off", "language"], BeforeValidator(off_for_false)]

LANGUAGE_TARGETS = (
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
)


class ModelConfig(Section):
    """Which checkpoint is trained and how it is held in memory."""

    path: str = Field(description="Folder of a checkpoint, or a hub id such as Qwen/Qwen3-VL-2B.")
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of a hub id; null: the newest."
    )
    cache_dir: Folder | None = Field(
        default=None, description="Folder for downloaded models; null: HF_HOME's."
    )
    variant: Variant = Field(
        default="auto",
        description="Decides defaults for length, learning rate and generation; "
        "auto reads it off the chat template or the name.",
    )
    dtype: Literal["bf16", "fp32"] = Field(
        default="bf16", description="Precision of frozen weights and of the arithmetic."
    )
    quantization: Literal["none", "nf4", "int8"] = Field(
        default="nf4",
        description="How the language model's frozen linear layers are stored. "
        "The vision tower and the head always stay in dtype.",
    )
    double_quantization: bool = Field(
        default=True, description="Quantise NF4's scaling factors once more."
    )
    attention: Attention = Field(default="auto", description="Attention kernel; auto: sdpa.")
    vision_attention: Attention = Field(
        default="auto", description="The same for the vision tower; auto: as model.attention."
    )
    compile: Compiled = Field(
        default="off",
        description="language: torch.compile makes one kernel of many for the language model's "
        "layers. The first step takes a minute or two more; needs a C++ compiler.",
    )
    adapter: Folder | None = Field(
        default=None, description="Folder of an earlier LoRA adapter to start from."
    )
    activation_checkpointing: Recomputed = Field(
        default="off",
        description="Which layers compute their activations again in the backward pass instead of "
        "keeping them: less memory, about a third more time.",
    )
    recompute_every: Whole = Field(
        default=1,
        ge=1,
        description="With activation checkpointing, one of so many layers computes its activations "
        "again; 2: every other one, for half of the time and of the memory.",
    )
    vision_cache: VisionCache = Field(
        default="auto",
        description="Where the outputs of a frozen vision tower are kept, so that a picture goes "
        "through it once: memory, disk (data.cache_dir); auto decides by time and room. "
        "Not with augmentation.",
    )
    vision_cache_bytes: Whole | None = Field(
        default=None,
        ge=0,
        description="Most that is kept, in bytes; null: half of what memory or disk has free.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to train; auto: the GPU when there is one."
    )

    @property
    def attention_of_vision(self) -> Attention:
        """The vision tower's attention kernel."""
        return self.attention if self.vision_attention == "auto" else self.vision_attention

    def recomputes(self, part: str) -> bool:
        """Whether the layers of a part, language or vision, compute their activations again."""
        return self.activation_checkpointing in (part, "all")

    def recomputed_layers(self, part: str, layers: int) -> range:
        """Return which of so many layers of a part compute their activations again."""
        return range(0, layers if self.recomputes(part) else 0, self.recompute_every)


class TuneConfig(Section):
    """What is trained, per part of the model."""

    vision: PartMode = Field(default="frozen", description="The vision tower without its mergers.")
    aligner: PartMode = Field(
        default="frozen", description="visual.merger and visual.deepstack_merger_list."
    )
    language: PartMode = Field(
        default="lora", description="The language model; its head only when full."
    )
    rank: Whole = Field(default=16, ge=1, description="LoRA rank.")
    alpha: Number = Field(default=32.0, gt=0, description="LoRA scale; the factor is alpha / rank.")
    dropout: Number = Field(default=0.05, ge=0, lt=1, description="LoRA dropout, a probability.")
    targets: tuple[str, ...] | str = Field(
        default=LANGUAGE_TARGETS,
        description="LoRA layers: names of linear layers in the language model (vision and "
        "aligner then take all of theirs), `all-linear`, or a regular expression over full names.",
    )

    @model_validator(mode="after")
    def something_is_trained(self) -> Self:
        """Refuse a run in which nothing would learn."""
        if {self.vision, self.aligner, self.language} == {"frozen"}:
            msg = "vision, aligner and language are all frozen; set one to lora or full"
            raise ValueError(msg)
        return self
