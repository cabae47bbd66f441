"""Read what a checkpoint says about its inputs, and write it down beside a result."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.utils.hub import cached_file

from trainer.config.model import ModelConfig
from trainer.config.schema import DataConfig
from trainer.data.errors import DataError

PROCESSOR_FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
)


@dataclass(frozen=True)
class CheckpointFiles:
    """Everything about inputs that a checkpoint holds."""

    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    image_processor: Qwen2VLImageProcessorPil
    chat_template: str | None
    processor_files: dict[str, Any]  # name -> content, as the checkpoint has them


def read_checkpoint_files(model: ModelConfig, data: DataConfig) -> CheckpointFiles:
    """Return a checkpoint's tokenizer, template and image processor, with the run's pixel limits.

    The image processor is always the one that works with Pillow: another backend resizes
    otherwise, and would be picked by what happens to be installed.

    Raises:
        DataError: A file is missing or broken, or the pixel limits contradict each other.

    """
    place = {"revision": model.revision, "cache_dir": model.cache_dir}
    try:
        config = AutoConfig.from_pretrained(model.path, **place)
        tokenizer = AutoTokenizer.from_pretrained(model.path, **place)
        processor = AutoImageProcessor.from_pretrained(model.path, backend="pil", **place)
        files = {name: _read_json(model.path, name, place) for name in PROCESSOR_FILES}
        legacy = _read_json(model.path, "chat_template.json", place)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{model.path}: its tokenizer or image processor cannot be loaded ({error}); "
            "use a complete checkpoint of the Qwen-VL family"
        ) from error
    if not isinstance(processor, Qwen2VLImageProcessorPil):
        raise DataError(
            f"{model.path}: its image processor is a {type(processor).__name__}; "
            "use a checkpoint of the Qwen-VL family"
        )
    template = tokenizer.chat_template or (legacy or {}).get("chat_template")
    if isinstance(template, dict):
        template = template.get("default")
    present = {name: content for name, content in files.items() if content is not None}
    found = CheckpointFiles(config, tokenizer, processor, template, present)
    return _with_pixel_limits(found, data)


def _read_json(checkpoint: str, name: str, place: dict[str, Any]) -> dict[str, Any] | None:
    path = cached_file(
        checkpoint,
        name,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        **place,
    )
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _with_pixel_limits(found: CheckpointFiles, data: DataConfig) -> CheckpointFiles:
    """The same files, the image processor and its stored settings with the run's limits."""
    size = found.image_processor.size
    smallest = data.min_pixels or size["shortest_edge"]
    largest = data.max_pixels or size["longest_edge"]
    if smallest > largest:
        raise DataError(
            f"images of {smallest} to {largest} pixels cannot be; "
            "set both data.min_pixels and data.max_pixels"
        )
    limits = {"shortest_edge": smallest, "longest_edge": largest}
    found.image_processor.size = type(size)(**limits)
    files = {name: _limited(content, limits) for name, content in found.processor_files.items()}
    return replace(found, processor_files=files)


def _limited(content: dict[str, Any], limits: dict[str, int]) -> dict[str, Any]:
    """Stored processor settings with other pixel limits, in each spelling that is in use."""
    if "image_processor" in content:
        return content | {"image_processor": _limited(content["image_processor"], limits)}
    if "video" in str(content.get("video_processor_type", "")).lower():
        return content
    old = {"min_pixels": limits["shortest_edge"], "max_pixels": limits["longest_edge"]}
    given_in_old = {key: value for key, value in old.items() if content.get(key) is not None}
    return content | {"size": limits} | given_in_old
