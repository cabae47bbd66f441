"""Turn records into samples exactly as the checkpoint reads them, and write down how."""

# T tokens, P patches, D values a patch (channels x temporal patch x patch x patch), I images

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from trainer.config.schema import DataConfig, ModelConfig
from trainer.data.augment.own import check_own_operations
from trainer.data.chat import probe_chat_format
from trainer.data.checkpoint_files import CheckpointFiles, read_checkpoint_files
from trainer.data.control import find_control_tokens
from trainer.data.dense.group import DenseGroup
from trainer.data.encoded import ImagePolicy
from trainer.data.errors import DataError, RecordError
from trainer.data.gallery import Gallery, Grid, KeptImages, Picture
from trainer.data.labels import expand_images, tokenize_with_labels
from trainer.data.measuring import Measuring
from trainer.data.pictures import PictureRule
from trainer.data.places import Speech
from trainer.data.positions import rope_positions
from trainer.data.records import Record
from trainer.data.rendering import Renderer, Rendering
from trainer.data.room import Room
from trainer.data.samples import IGNORED, Sample
from trainer.data.shown import Shown, Wording, show
from trainer.data.variation import OBJECT_DROPPED, Variation

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Question:
    """A record without its last answer, as the model is asked when it generates."""

    sample: Sample  # ends with the generation prompt; nothing is labelled
    prompt: str
    truth: str  # the answer as the template renders it, after the generation prompt


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """Tokenizer, chat template and image processor of a checkpoint under the run's options.

    Can be sent to another process.
    """

    tokenizer: PreTrainedTokenizerBase
    image_processor: Qwen2VLImageProcessorPil
    renderer: Renderer
    image_token_id: int
    options: DataConfig
    model_type: str
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
            renderer=_renderer(files, model, data, image_token_id),
            image_token_id=image_token_id,
            options=data,
            model_type=files.config.model_type,
            processor_files=files.processor_files,
        )
        preprocessing.check_patches()
        return preprocessing

    @property
    def variant(self) -> str:
        """The kind of checkpoint: instruct, thinking or base."""
        if self.renderer.chat is None:
            return "base"
        return "thinking" if self.renderer.chat.forces_reasoning else "instruct"

    @property
    def pad_id(self) -> int:
        """The token that fills the positions after a sample."""
        pad = self.tokenizer.pad_token_id
        return pad if isinstance(pad, int) else self.eos_id

    @property
    def eos_id(self) -> int:
        """The token that ends a text."""
        eos = self.tokenizer.eos_token_id
        assert isinstance(eos, int)
        return eos

    @cached_property
    def room(self) -> Room:
        """How long a sample may be."""
        return Room(self.options.max_length, max(map(len, self.tokenizer.get_vocab())))

    @cached_property
    def picture_rule(self) -> PictureRule:
        """How many patches and visual tokens an image becomes."""
        processor = self.image_processor
        return PictureRule(
            patch=processor.patch_size,
            merge=processor.merge_size,
            min_pixels=processor.size["shortest_edge"],
            max_pixels=processor.size["longest_edge"],
        )

    @cached_property
    def image_policy(self) -> ImagePolicy:
        """What images may be read."""
        return ImagePolicy(self.options.max_source_pixels, self.options.allow_remote)

    @cached_property
    def speech(self) -> Speech:
        """How the checkpoint names places in pictures."""
        return Speech.of(self.model_type, self.options)

    def measuring(self, *, decode: bool = False) -> Measuring:
        """Return what measures records as `encode` makes them, without torch.

        `decode` decodes every picture, to be certain that it can be.
        """
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        assert isinstance(backend, Tokenizer), type(self.tokenizer)  # as in the whole family
        return Measuring(
            renderer=self.renderer,
            tokenizer_json=backend.to_str(),
            rule=self.picture_rule,
            speech=self.speech,
            room=self.room,
            policy=self.image_policy,
            variant=self.variant,
            decode=decode,
        )

    def encode(
        self,
        record: Record | DenseGroup,
        variation: Variation | None = None,
        kept: KeptImages | None = None,
    ) -> Sample:
        """Return a record, or a group of dense ones, as token ids, labels and patches.

        With a variation its pictures are changed first, and what is marked in them with them. With
        `kept` the images get keys, and those that are kept come without patches.

        Raises:
            RecordError: The record cannot be used; OverLong when it has too many tokens. Of a
                group, the error's source is the record at fault.

        """
        gallery = self._gallery(None if variation else kept)
        shown = self._show(record, gallery, variation)
        sample = self._encode(shown, self.renderer.render(shown.record), gallery)
        if sample.target_tokens == 0:
            raise RecordError(record.source, "no token to train", "add an answer")
        return sample

    def question(self, record: Record | DenseGroup) -> Question:
        """Return a record as the question that its last answer is for.

        Raises:
            RecordError: As `encode`.

        """
        gallery = self._gallery(None)
        shown = self._show(record, gallery)
        rendering, truth = self.renderer.question(shown.record)
        return Question(self._encode(shown, rendering, gallery), rendering.text, truth)

    def _gallery(self, kept: KeptImages | None) -> Gallery:
        draft = self.options.jpeg_draft
        return Gallery(self.image_policy, self.picture_rule, self.room, kept, draft)

    def _show(
        self, record: Record | DenseGroup, gallery: Gallery, variation: Variation | None = None
    ) -> Shown:
        wording = Wording(self.picture_rule, self.speech, self.options.dense)
        return show(record, gallery, wording, variation)

    def _encode(self, shown: Shown, rendering: Rendering, gallery: Gallery) -> Sample:
        source = shown.record.source
        self.room.for_text(source, len(rendering.text), len(rendering.images))
        ids, labels = tokenize_with_labels(self.tokenizer, rendering.text, rendering.spans)
        labels[:1] = IGNORED  # nothing comes before the first token that could predict it
        pictures = shown.pictures
        if pictures is None:
            pictures = gallery.look(source, rendering.images, len(ids))
        else:
            self._check_room(shown, pictures, len(ids))
        cut = [self._cut(picture) for picture in pictures]
        grids = [grid for _, grid in cut]
        unit = self.picture_rule.merge**2
        visual_tokens = [math.prod(grid) // unit for grid in grids]
        ids, labels = expand_images(ids, labels, self.image_token_id, visual_tokens)
        patches = [piece for piece, _ in cut if piece is not None]
        kinds = (ids == self.image_token_id).astype(np.int64)
        return Sample(
            sources=shown.sources,
            input_ids=ids,
            labels=labels,
            mm_token_type_ids=kinds,
            patches=np.concatenate(patches) if patches else None,
            image_grid_thw=np.array(grids, dtype=np.int64) if grids else None,
            rope=rope_positions(kinds, grids, self.picture_rule.merge),
            image_keys=gallery.keys(pictures),
            patched=tuple(piece is not None for piece, _ in cut),
            notes=(*sorted({*shown.notes, *rendering.notes}), *[OBJECT_DROPPED] * shown.dropped),
        )

    def _check_room(self, shown: Shown, pictures: Sequence[Picture], text_tokens: int) -> None:
        """Raise OverLong for pictures that do not fit beside the text."""
        source, visual_tokens = shown.record.source, 0
        self.room.for_tokens(source, text_tokens)
        for number, picture in enumerate(pictures, start=1):
            visual_tokens += self.picture_rule.visual_tokens(*picture.size)
            tokens = text_tokens - number + visual_tokens
            self.room.for_images(source, tokens, number, len(pictures))

    def _cut(self, picture: Picture) -> tuple[np.ndarray | None, Grid]:
        """Patches (P, D) as uint8 and the grid; no patches of a picture without pixels."""
        if picture.pixels is None:
            assert picture.grid is not None
            return None, picture.grid
        pixels = picture.pixels
        if pixels.size != picture.size:  # a draft: its own size would be rounded otherwise
            tall, wide = self.picture_rule.resized(*picture.size)
            pixels = pixels.resize((wide, tall), Image.Resampling(self.image_processor.resample))
        patches, grid = self.cut_into_patches(pixels)
        frames, rows, columns = grid[0].tolist()
        return patches, (frames, rows, columns)

    def cut_into_patches(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Return an RGB image's patches, uint8 (P, D), resized as the checkpoint wants it.

        Also its grid, int64 (1, 3). Colours stay bytes: a quarter of the size on the way to the
        device, where `normalize_patches` does what the image processor would have done here.
        """
        processor = self.image_processor
        made = processor(images=[image], do_rescale=False, do_normalize=False, return_tensors="np")
        return made["pixel_values"].astype(np.uint8), made["image_grid_thw"]

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
        patches, _ = self.cut_into_patches(image)
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
