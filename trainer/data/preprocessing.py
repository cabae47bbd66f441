"""Load how a checkpoint reads records, prove it, and write it down."""

# P patches, D values a patch (channels x temporal patch x patch x patch)

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from trainer.config.model import ModelConfig
from trainer.config.schema import DataConfig
from trainer.data.augment.own import check_own_operations
from trainer.data.chat import probe_chat_format
from trainer.data.checkpoint_files import CheckpointFiles, read_checkpoint_files
from trainer.data.control import find_control_tokens
from trainer.data.cutting import Cutting
from trainer.data.encoding import Encoder
from trainer.data.errors import DataError
from trainer.data.pictures import PictureRule
from trainer.data.rendering import Renderer

FORMAT = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Preprocessing(Encoder):
    """An encoder with the tokenizer and image processor that it was made of."""

    tokenizer: PreTrainedTokenizerBase
    image_processor: Qwen2VLImageProcessorPil
    processor_files: dict[str, Any]  # name -> content, with the run's pixel limits

    @classmethod
    def load(cls, model: ModelConfig, data: DataConfig) -> "Preprocessing":
        """Return the preprocessing of a checkpoint in a local folder or in the hub's cache.

        Raises:
            DataError: The checkpoint lacks what its variant needs, or is of an unknown kind; or
                the augmentation names a function that is not there.

        """
        check_own_operations(data.augmentation)
        files = read_checkpoint_files(model, data)
        image_token_id = getattr(files.config, "image_token_id", None)
        if image_token_id is None or files.tokenizer.eos_token is None:
            raise DataError(
                f"{model.path}: {files.config.model_type} has no image or end token; "
                "use a checkpoint of the Qwen-VL family"
            )
        preprocessing = cls(
            tokenizer=files.tokenizer,
            image_processor=files.image_processor,
            backend_tokenizer=_backend_tokenizer(files.tokenizer),
            cutting=_cutting(files.image_processor),
            renderer=_renderer(files, model, data, image_token_id),
            image_token_id=image_token_id,
            pad_id=_pad_id(files.tokenizer),
            options=data,
            model_type=files.config.model_type,
            processor_files=files.processor_files,
        )
        preprocessing.check_patches()
        return preprocessing

    @property
    def encoder(self) -> Encoder:
        """The encoder alone."""
        return Encoder(**{field.name: getattr(self, field.name) for field in fields(Encoder)})

    @property
    def eos_id(self) -> int:
        """The token that ends a text."""
        return _eos_id(self.tokenizer)

    def normalize_patches(self, patches: Tensor, dtype: torch.dtype) -> Tensor:
        """Return uint8 patches (P, D) as the image processor normalises them, (P, D) of `dtype`."""
        processor = self.image_processor
        mean, deviation = _per_channel(
            tuple(processor.image_mean), tuple(processor.image_std), patches.device
        )
        colours = patches.float().mul_(processor.rescale_factor)
        channels = colours.view(len(patches), len(mean), -1)  # (P, channels, D / channels)
        return channels.sub_(mean).div_(deviation).view_as(patches).to(dtype)

    def check_patches(self) -> None:
        """Prove on a small picture that cutting, then normalising, equals the image processor.

        Raises:
            DataError: It does not; the image processor is of a kind we do not know.

        """
        processor = self.image_processor
        colours = np.arange(48 * 80 * 3, dtype=np.uint32).reshape(48, 80, 3) * 7919 % 256
        image = Image.fromarray(colours.astype(np.uint8))
        expected = processor(images=[image], return_tensors="pt")["pixel_values"]
        patches, _ = self.cutting.patches(image, image.size)
        found = self.normalize_patches(torch.from_numpy(patches), torch.float32)
        if found.shape != expected.shape or not torch.allclose(found, expected, rtol=0, atol=1e-6):
            raise DataError(
                f"the image processor {type(processor).__name__} does not cut bytes into patches; "
                "use a checkpoint of the Qwen-VL family"
            )

    def describe(self) -> dict[str, Any]:
        """Return what inference has to do the same way as training did."""
        chat, processor = self.renderer.chat, self.image_processor
        template = chat.template if chat else None
        settings = processor.to_dict()
        return {
            "format": FORMAT,
            "model_type": self.model_type,
            "variant": self.variant,
            "chat_template_sha256": template and hashlib.sha256(template.encode()).hexdigest(),
            "generation_prompt": chat.generation_prompt if chat else None,
            "end_of_answer": chat.closing if chat else self.tokenizer.eos_token,
            "prompt_template": None if chat else self.options.prompt_template,
            "thinking": self.options.thinking,
            "control_tokens": self.options.control_tokens,
            "max_length": self.options.max_length,
            "control_ids": self.renderer.control.ids,
            "pad_id": self.pad_id,
            "eos_id": self.eos_id,
            "image_token_id": self.image_token_id,
            "min_pixels": settings["size"]["shortest_edge"],
            "max_pixels": settings["size"]["longest_edge"],
            "image_processor": settings,
            "image_backend": "pil",
            "versions": {
                package: importlib.metadata.version(package)
                for package in ("transformers", "tokenizers", "pillow", "numpy", "torch")
            },
        }

    def save(self, folder: Path) -> None:
        """Write tokenizer, chat template, image processor settings and preprocessing.json."""
        self.tokenizer.save_pretrained(folder)
        if self.renderer.chat is not None and self.tokenizer.chat_template is None:
            template = folder / "chat_template.jinja"
            template.write_text(self.renderer.chat.template, encoding="utf-8")
        if not self.processor_files:
            self.image_processor.save_pretrained(folder)
        for name, content in {
            **self.processor_files,
            "preprocessing.json": self.describe(),
        }.items():
            text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
            (folder / name).write_text(text, encoding="utf-8")


@lru_cache
def _per_channel(
    mean: tuple[float, ...], deviation: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Both as (channels, 1); copied to a device once, since every copy makes the host wait."""
    rows = torch.tensor([mean, deviation], dtype=torch.float32, device=device)
    return rows[0, :, None], rows[1, :, None]


def _backend_tokenizer(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """A copy: the tokenizer itself switches padding and truncation on whenever it is asked to."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    assert isinstance(backend, Tokenizer), type(tokenizer)  # as in the whole family
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _cutting(processor: Qwen2VLImageProcessorPil) -> Cutting:
    rule = PictureRule(
        patch=processor.patch_size,
        merge=processor.merge_size,
        min_pixels=processor.size["shortest_edge"],
        max_pixels=processor.size["longest_edge"],
    )
    return Cutting(rule, processor.temporal_patch_size, Image.Resampling(processor.resample))


def _pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    pad = tokenizer.pad_token_id
    return pad if isinstance(pad, int) else _eos_id(tokenizer)


def _eos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    eos = tokenizer.eos_token_id
    assert isinstance(eos, int)
    return eos


def _renderer(
    files: CheckpointFiles, model: ModelConfig, data: DataConfig, image_token_id: int
) -> Renderer:
    tokenizer, config = files.tokenizer, files.config
    chat = None
    if model.variant != "base" and files.chat_template is not None:
        chat = probe_chat_format(tokenizer, files.chat_template)
    elif model.variant in ("instruct", "thinking"):
        raise DataError(f"{model.path} has no chat template; set model.variant to base or auto")
    start, image, end = tokenizer.convert_ids_to_tokens(
        [config.vision_start_token_id, image_token_id, config.vision_end_token_id]
    )
    chat_tokens = (chat.opening, chat.closing) if chat else ()
    return Renderer(
        chat=chat,
        control=find_control_tokens(tokenizer, config, chat_tokens),
        image_token=image,
        image_place=f"{start}{image}{end}",
        end_of_text=str(tokenizer.eos_token),
        options=data,
    )
