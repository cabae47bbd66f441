"""Which records are trained, how they are read, and what happens to those that do not fit."""

from typing import Literal, Self

from pydantic import Field, model_validator

from trainer.config.augmentation import AugmentationConfig
from trainer.config.dense import DenseConfig
from trainer.config.reading import BoxMarkup, ColumnsConfig, Coordinates, DataFormat
from trainer.config.section import Files, Folder, Number, Section, Whole


class DataConfig(Section):
    """Which records are trained and what happens to those that do not fit."""

    train: Files = Field(min_length=1, description="Training files, JSONL or a JSON array.")
    validation: Files = Field(default=(), description="Validation files, JSONL or a JSON array.")
    format: DataFormat = Field(
        default="auto", description="How records are written; auto: recognised for each file."
    )
    thinking: Literal["drop", "include"] = Field(
        default="drop", description="Whether a record's `thinking` is trained before its response."
    )
    max_length: Whole = Field(
        default=2048, ge=16, description="Longest sample, in tokens (visual tokens included)."
    )
    over_long: Literal["skip", "refuse"] = Field(
        default="skip", description="What happens to a sample longer than max_length."
    )
    bad_records: Literal["skip", "refuse"] = Field(
        default="skip", description="What happens to a record that cannot be read."
    )
    control_tokens: Literal["refuse", "escape"] = Field(
        default="refuse",
        description="What happens to text that spells a control token such as <|im_end|>; "
        "refuse treats the record as a bad one.",
    )
    allow_remote: bool = Field(default=False, description="Fetch images from http(s) addresses.")
    min_pixels: Whole | None = Field(
        default=None, ge=1, description="Smaller images are enlarged to it; null: the checkpoint's."
    )
    max_pixels: Whole | None = Field(
        default=None, ge=1, description="Larger images are shrunk to it; null: the checkpoint's."
    )
    max_source_pixels: Whole = Field(
        default=100_000_000, ge=1, description="Images above it are not decoded at all, in pixels."
    )
    jpeg_draft: bool = Field(
        default=False,
        description="Decode JPEGs at a half, a quarter or an eighth of their size where more is "
        "not needed: several times faster for photos; pixels differ a little. Not with "
        "augmentation.",
    )
    max_line_bytes: Whole = Field(
        default=256 * 2**20, ge=1024, description="Longer lines are not parsed, in bytes."
    )
    max_array_bytes: Whole = Field(
        default=2**30, ge=1024, description="Larger JSON arrays are refused (JSONL is not), bytes."
    )
    train_samples: Whole | None = Field(
        default=None, ge=1, description="Train on the first N records only; null: all."
    )
    validation_samples: Whole | None = Field(
        default=None, ge=1, description="Validate on the first N records only; null: all."
    )
    prompt_template: str = Field(
        default="{prompt}\n{response}",
        description="How a base model's prompt and response are joined.",
    )
    workers: Whole = Field(
        default=2, ge=0, description="Processes that prepare batches; 0: the trainer itself."
    )
    prefetch_bytes: Whole = Field(
        default=512 * 2**20, ge=2**20, description="Prepared batches held ready, in bytes at most."
    )
    worker_timeout_seconds: Number = Field(
        default=300.0, gt=0, description="A micro-batch that takes longer ends the run, in seconds."
    )
    cache_dir: Folder | None = Field(
        default=None, description="Folder for line indexes and kept features; null: ~/.cache/qvl."
    )
    coordinates: Coordinates = Field(
        default="auto",
        description="Places in text: pixel (or none; of the picture as the model sees it), 0 to "
        "100, 0 to 1000; auto: as the checkpoint speaks, Qwen2.5-VL pixel, the others norm1000.",
    )
    box_markup: BoxMarkup = Field(
        default="auto",
        description="Around a box in a conversation: tokens <|box_start|>(x,y),(x,y)<|box_end|>, "
        "plain [x, y, x, y]; auto: tokens for Qwen2-VL, plain for the others.",
    )
    columns: ColumnsConfig = ColumnsConfig()
    dense: DenseConfig = DenseConfig()
    augmentation: AugmentationConfig = AugmentationConfig()

    @model_validator(mode="after")
    def pixel_limits_are_ordered(self) -> Self:
        """Refuse a lower pixel limit above the upper one."""
        if self.min_pixels and self.max_pixels and self.min_pixels > self.max_pixels:
            msg = f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}; lower it"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def drafts_are_not_augmented(self) -> Self:
        """Refuse to augment pictures that are not decoded in their own size."""
        if self.jpeg_draft and self.augmentation.ops:
            msg = "jpeg_draft is set beside augmentation.ops, which needs pictures in full size"
            raise ValueError(f"{msg}; set it to false")
        return self

    @model_validator(mode="after")
    def the_template_names_both(self) -> Self:
        """Refuse a base template that loses the prompt or the response."""
        if self.prompt_template.count("{prompt}") != 1 or not self.prompt_template.endswith(
            "{response}"
        ):
            msg = (
                "prompt_template loses the prompt or the response; "
                "write {prompt} once and end in {response}"
            )
            raise ValueError(msg)
        return self
