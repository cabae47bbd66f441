"""Run a frozen vision tower image by image, and hand its features to the language model.

P patches, D values a patch, V visual tokens, L levels (the last one, then those of deepstack), W
values a visual token and level, H hidden of the language model

What an image becomes does not depend on the images beside it, so it can be kept and used again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils.generic import is_flash_attention_requested
from transformers.vision_utils import (
    get_vision_cu_seqlens,
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
    get_vision_window_index,
)

from trainer.model.body import base_of
from trainer.model.parts import ALIGNER_MODULES, part_of

Grid = tuple[int, int, int]  # frames, rows and columns of patches
GRIDS_AT_HAND = 64  # whose positions stay on the device


@dataclass(frozen=True)
class EncoderOutputs:
    """What the models of all families read of `mm_encoder_outputs["image"]`, all images in one."""

    pooler_output: tuple[Tensor, ...]  # (V, H)
    deepstack_features: list[tuple[Tensor, ...]]  # of each deepstack level (V, H)


class FrozenTower:
    """The vision tower of a model that does not train it.

    Features are taken behind the mergers where the aligner is frozen as well. Where it is trained
    they are taken before them, the patches of a visual token side by side.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        """`dtype` is what features are rounded to, before they are used for the first time.

        Raises:
            ValueError: The tower is trained.

        """
        trained = {part_of(name) for name, it in model.named_parameters() if it.requires_grad}
        if "vision" in trained:
            msg = "the vision tower is trained, so its outputs change"
            raise ValueError(msg)
        self._visual: Any = base_of(model).model.visual
        self.dtype = dtype
        self.merged = "aligner" not in trained
        self._positions = lru_cache(GRIDS_AT_HAND)(self._positions_of)

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Yield names and values of all weights that features depend on."""
        for name, weight in self._visual.named_parameters():
            if self.merged or name.partition(".")[0] not in ALIGNER_MODULES:
                yield name, weight
        yield from self._visual.named_buffers()

    @torch.no_grad()
    def features(self, pixels: Tensor, grid: Grid) -> Tensor:
        """Return the features (L, V, W) of one image from its normalised patches (P, D)."""
        visual = self._visual
        with self._mergers_as_wanted():
            output = visual(
                pixels.to(visual.dtype),
                grid_thw=torch.tensor([grid]),
                **self._positions(grid, pixels.device),
            )
        levels = (output.pooler_output, *getattr(output, "deepstack_features", ()))
        return torch.stack([level.to(self.dtype) for level in levels])

    def outputs(self, features: Sequence[Tensor]) -> dict[str, EncoderOutputs]:
        """Return images' features as the forward's `mm_encoder_outputs`; it may change the dict.

        Mergers run here where they are trained, with gradients.
        """
        levels = [torch.cat(level) for level in zip(*(it.unbind() for it in features), strict=True)]
        if not self.merged:
            mergers = (self._visual.merger, *getattr(self._visual, "deepstack_merger_list", ()))
            width = levels[0].shape[1] // self._visual.spatial_merge_size**2
            pairs = zip(mergers, levels, strict=True)
            levels = [merger(level.view(-1, width)) for merger, level in pairs]
        return {"image": EncoderOutputs((levels[0],), [(level,) for level in levels[1:]])}

    @contextmanager
    def _mergers_as_wanted(self) -> Iterator[None]:
        """Leave the mergers out of the tower's forward where features are taken before them."""
        mergers = {name: getattr(self._visual, name, None) for name in ALIGNER_MODULES}
        try:
            if not self.merged:
                beside = _SideBySide(self._visual.spatial_merge_size**2)
                self._visual.merger = beside
                if (deepstack := mergers["deepstack_merger_list"]) is not None:
                    self._visual.deepstack_merger_list = nn.ModuleList([beside] * len(deepstack))
            yield
        finally:
            for name, module in mergers.items():
                if module is not None:
                    setattr(self._visual, name, module)

    def _positions_of(self, grid: Grid, device: torch.device) -> dict[str, Any]:
        """What the tower else works out of a grid in every forward, waiting for the device."""
        visual, thw = self._visual, torch.tensor([grid])
        merge = visual.spatial_merge_size
        flash = is_flash_attention_requested(visual.config)
        place = _placed_on(device)
        # Without flash attention lengths of pictures are read on the host.
        lengths: Callable[[Tensor], Tensor] = place if flash else torch.Tensor.cpu
        ends = get_vision_cu_seqlens(thw)
        made: dict[str, Any] = {
            "position_ids": place(get_vision_position_ids(thw, merge)),
            "cu_seqlens": lengths(ends),
        }
        if flash:
            made["max_seqlen"] = int(ends.diff().max())
        if hasattr(visual, "num_grid_per_side"):
            indices, weights = get_vision_interpolation_indices_and_weights(
                thw,
                num_grid_per_side=visual.num_grid_per_side,
                mode=visual.interpolation_mode,
                align_corners=visual.interpolation_align_corners,
                spatial_merge_size=merge,
            )
            made |= {"interp_indices": place(indices), "interp_weights": place(weights)}
        if hasattr(visual, "window_size"):
            index, ends = get_vision_window_index(thw, merge, visual.window_size, visual.patch_size)
            made |= {"window_index": place(index), "cu_window_seqlens": lengths(ends)}
            if flash:
                made["max_window_seqlen"] = int(ends.diff().max())
        return made


class _SideBySide(nn.Module):
    """Stands where a merger was: the patches of a visual token become one row."""

    def __init__(self, patches: int) -> None:
        super().__init__()
        self._patches = patches

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (V, W) of (P, width)."""
        return hidden.reshape(len(hidden) // self._patches, -1)


def _placed_on(device: torch.device) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor.to(device)
