"""The schema of a run: every option, its default, its unit and what it is for."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from trainer.config.data import DataConfig
from trainer.config.model import ModelConfig, TuneConfig
from trainer.config.section import Number, Section, Whole

OptimizerName = Literal[
    "adamw", "adamw_8bit", "adamw_32bit", "paged_adamw_8bit", "paged_adamw_32bit"
]
Packing = Literal["none", "pack", "group"]
ScheduleName = Literal["constant", "linear", "cosine", "cosine_with_floor"]


class OptimizerConfig(Section):
    """How the weights move."""

    name: OptimizerName = Field(
        default="adamw_8bit",
        description="adamw is torch's; the others are bitsandbytes'. Paged ones are not paged "
        "on the CPU.",
    )
    learning_rate: Number = Field(default=2e-4, gt=0, description="Peak learning rate.")
    vision_learning_rate: Number | None = Field(
        default=None, gt=0, description="Peak for the vision tower; null: learning_rate."
    )
    aligner_learning_rate: Number | None = Field(
        default=None, gt=0, description="Peak for the aligner; null: learning_rate."
    )
    language_learning_rate: Number | None = Field(
        default=None, gt=0, description="Peak for the language model; null: learning_rate."
    )
    weight_decay: Number = Field(
        default=0.0, ge=0, description="Decoupled decay; biases and norms are left out."
    )
    beta1: Number = Field(default=0.9, ge=0, lt=1, description="Decay of the first moment.")
    beta2: Number = Field(default=0.999, ge=0, lt=1, description="Decay of the second moment.")
    epsilon: Number = Field(default=1e-8, gt=0, description="Added to the denominator.")
    max_gradient_norm: Number = Field(
        default=1.0, gt=0, description="Gradients are clipped to this norm."
    )


class ScheduleConfig(Section):
    """How the learning rate goes over the run."""

    name: ScheduleName = Field(
        default="cosine_with_floor", description="Shape after the warm-up; cosine ends at zero."
    )
    warmup_steps: Whole = Field(default=50, ge=0, description="Linear warm-up, in optimizer steps.")
    warmup_ratio: Number | None = Field(
        default=None, ge=0, le=1, description="Warm-up as a share of all steps; replaces the steps."
    )
    floor_learning_rate: Number = Field(
        default=5e-5, ge=0, description="Where cosine_with_floor ends; never above a part's peak."
    )


class BatchConfig(Section):
    """How many samples make one optimizer step: size times accumulation."""

    size: Whole = Field(default=1, ge=1, description="Samples in a micro-batch.")
    accumulation: Whole = Field(
        default=4, ge=1, description="Micro-batches in an optimizer step, over all ranks."
    )
    packing: Packing = Field(
        default="none",
        description="How the samples of a step are laid into micro-batches; which samples those "
        "are never changes. none: size at a time, as they are dealt, padded; pack: as many as "
        "tokens allows in one row without padding; group: as many of similar length, padded.",
    )
    tokens: Whole | None = Field(
        default=None,
        ge=1,
        description="Most tokens in a micro-batch of pack or group, with padding; "
        "null: size times data.max_length.",
    )
    patches: Whole | None = Field(
        default=None,
        ge=1,
        description="Most image patches in a micro-batch of pack or group; "
        "null: as many as its tokens can stand for.",
    )
    largest_first: bool = Field(
        default=False,
        description="Try the largest batch before step 1, so that a lack of memory shows at once.",
    )

    @model_validator(mode="after")
    def limits_have_something_to_limit(self) -> Self:
        """Refuse limits of micro-batches whose size is given in samples."""
        for name in ("tokens", "patches"):
            if self.packing == "none" and getattr(self, name) is not None:
                msg = (
                    f"batch.{name} is set but batch.packing is none; "
                    "set batch.packing=pack or group, or set it to null"
                )
                raise ValueError(msg)
        return self


class TrainingConfig(Section):
    """How long to train and when to give up."""

    epochs: Number = Field(default=3.0, gt=0, description="Passes over the training records.")
    max_steps: Whole | None = Field(
        default=None, ge=1, description="Optimizer steps; replaces epochs."
    )
    max_nonfinite_steps: Whole = Field(
        default=5, ge=1, description="Fail after this many non-finite steps in a row."
    )
    ranks: Whole = Field(
        default=1,
        ge=1,
        description="Processes that share the micro-batches of a step, each on a GPU of its own.",
    )
    threads: Whole | None = Field(
        default=None, ge=1, description="CPU threads; null: torch's choice, kept over resumes."
    )
    log_with: tuple[Literal["tensorboard", "wandb"], ...] = Field(
        default=(), description="Trackers besides events.jsonl; each needs the extra of its name."
    )
    debug: bool = Field(
        default=False, description="Detect the operation that made a NaN (several times slower)."
    )


class EvaluationConfig(Section):
    """When to validate and what follows from it."""

    every_steps: Whole | None = Field(
        default=None, ge=1, description="Validate every N optimizer steps; null: once an epoch."
    )
    at_end: bool = Field(default=True, description="Validate after the last step.")
    batch_size: Whole = Field(default=4, ge=1, description="Samples in a validation batch.")
    generated_samples: Whole = Field(
        default=4, ge=0, description="Validation records answered by generation each time."
    )
    early_stopping_evaluations: Whole | None = Field(
        default=None, ge=1, description="Stop after N validations without a better loss; null: no."
    )
    early_stopping_min_improvement: Number = Field(
        default=0.0, ge=0, description="What counts as better, in nats per token."
    )


class GenerationConfig(Section):
    """How answers are generated."""

    max_new_tokens: Whole = Field(default=100, ge=1, description="Longest answer, in tokens.")
    temperature: Number = Field(default=0.0, ge=0, description="Sampling temperature; 0: greedy.")
    top_p: Number = Field(default=1.0, gt=0, le=1, description="Nucleus of the sampling.")


class CheckpointConfig(Section):
    """When checkpoints are written and which are kept."""

    every_steps: Whole = Field(
        default=200, ge=1, description="Write one every N optimizer steps; the last one always."
    )
    not_before_step: Whole = Field(
        default=0, ge=0, description="No scheduled checkpoint before this step."
    )
    keep_last: Whole = Field(default=2, ge=2, description="Newest checkpoints that are kept.")
    keep_best: bool = Field(
        default=True, description="Keep the one with the best validation loss too."
    )
    final_zip: bool = Field(default=True, description="Pack final/ into final.zip as well.")


class SupervisionConfig(Section):
    """How the run is watched, stopped and restarted."""

    auto_resume: Whole = Field(
        default=0, ge=0, description="Restarts after a crash, from the newest checkpoint."
    )
    stop_timeout_seconds: Number | None = Field(
        default=None,
        gt=0,
        description="From a stop request to SIGTERM; null: max(120, 3 steps + 3 saves).",
    )
    kill_timeout_seconds: Number = Field(
        default=30.0, gt=0, description="From SIGTERM to SIGKILL, in seconds."
    )
    stall_timeout_seconds: Number | None = Field(
        default=None,
        gt=0,
        description="Without progress for this long the run counts as stalled; "
        "null: max(300, 10 median steps).",
    )
    telemetry_seconds: Number = Field(
        default=1.0, ge=0.1, description="Interval of GPU and host samples, in seconds."
    )
    on_exit: str | None = Field(
        default=None,
        description="Shell command run once the run is over (QVL_RUN, QVL_STATE are set), "
        "such as a notification or `poweroff`.",
    )


class RunConfig(Section):
    """A run from model and data to its last checkpoint."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Folder under runs/; null: the configuration's file name.",
    )
    seed: Whole = Field(default=0, ge=0, lt=2**63, description="Every random choice follows it.")
    model: ModelConfig
    data: DataConfig
    tune: TuneConfig = TuneConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    batch: BatchConfig = BatchConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    generation: GenerationConfig = GenerationConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    supervision: SupervisionConfig = SupervisionConfig()

    @model_validator(mode="after")
    def full_training_is_not_quantised(self) -> Self:
        """Refuse full training of weights that are stored in 4 or 8 bits."""
        if self.tune.language == "full" and self.model.quantization != "none":
            msg = (
                f"tune.language is full but model.quantization is {self.model.quantization}; "
                "set model.quantization=none or tune.language=lora"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def what_is_compiled_can_be(self) -> Self:
        """Refuse what torch.compile would leave as it is without a word."""
        packed = self.batch.packing == "pack"
        if packed and self.model.compile == "language" and self.model.recomputes("language"):
            msg = (
                "model.compile is language, but packed rows cannot be compiled inside "
                "activation checkpointing; set model.compile=off, batch.packing=group or "
                "model.activation_checkpointing=off"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def what_is_kept_of_pictures_stays_true(self) -> Self:
        """Refuse to keep a vision tower's outputs where they would not be the same again."""
        if self.model.vision_cache in ("off", "auto"):
            return self
        why = None
        if self.tune.vision != "frozen":
            why = f"tune.vision is {self.tune.vision}, so the tower's outputs change as it learns"
        elif self.data.augmentation.ops:
            why = "data.augmentation.ops changes every picture in every epoch"
        if why:
            msg = f"model.vision_cache is {self.model.vision_cache} but {why}; set it to auto"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def every_rank_has_work(self) -> Self:
        """Refuse more ranks than micro-batches."""
        if self.training.ranks > self.batch.accumulation:
            msg = (
                f"training.ranks is {self.training.ranks} but a step has only "
                f"batch.accumulation={self.batch.accumulation} micro-batches to share; "
                "set batch.accumulation to a multiple of the ranks"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def early_stopping_has_something_to_go_by(self) -> Self:
        """Refuse early stopping without validation data."""
        if self.evaluation.early_stopping_evaluations and not self.data.validation:
            msg = (
                "evaluation.early_stopping_evaluations is set but data.validation is empty; "
                "name a validation file or set it to null"
            )
            raise ValueError(msg)
        return self

    @property
    def pictures_stay_the_same(self) -> bool:
        """Whether the vision tower makes the same of a picture in every epoch."""
        return self.tune.vision == "frozen" and not self.data.augmentation.ops

    @property
    def samples_per_step(self) -> int:
        """Samples of one optimizer step over all ranks."""
        return self.batch.size * self.batch.accumulation

    @property
    def micro_batch_tokens(self) -> int:
        """Most tokens in a micro-batch; as many as `batch.size` samples may have if not given."""
        return self.batch.tokens or self.batch.size * self.data.max_length

    @property
    def model_is_local(self) -> bool:
        """Whether model.path is a folder rather than a hub id."""
        return Path(self.model.path).is_absolute()
