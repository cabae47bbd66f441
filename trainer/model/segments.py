"""Attend within each sample of a packed row, and within each picture, without a mask.

S samples, T tokens, H heads, D width of a head

transformers packs under sdpa with a mask of T x T, which keeps sdpa from its fast kernels, and it
calls sdpa for every picture in every layer of the tower, after asking the device how large it is.
Here each sample is a call of its own; on a GPU that can, all samples are one call of torch's
variable-length flash attention, and so are all pictures. Rows that are not packed go to
transformers' own sdpa.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.model.body import base_of

NAME = "sdpa_by_segment"
PICTURES_NAME = "flash_by_picture"  # the towers give all pictures at once to what is called flash
CAUSAL = (-1, 0)  # all before, none after
EVERYTHING = (-1, -1)
FIRST_CAPABILITY = (8, 0)  # of GPUs that have the variable-length kernel
HALF = (torch.bfloat16, torch.float16)
NEEDED = {"scale", "window_size", "enable_gqa"}  # the first versions of the kernel lack some

Attended = tuple[Tensor, None]  # (1, T, H, D); no probabilities


@dataclass(frozen=True, eq=False)
class Segments:
    """Where the samples of a packed row lie."""

    lengths: tuple[int, ...]  # tokens of each
    boundaries: Tensor  # int32 (S + 1,) on the device, from 0 to T

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> "Segments":
        """Return the segments of samples of these lengths, one after the other."""
        boundaries = torch.tensor((0, *accumulate(lengths)), dtype=torch.int32)
        return cls(tuple(lengths), boundaries.to(device, non_blocking=True))


def attend(  # noqa: PLR0913 - transformers calls it
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    segments: Segments | None = None,
    **options: Any,
) -> Attended:
    """Return what each token reads of its sample up to itself, as transformers calls attention.

    Args:
        module: The attention layer.
        query: (B, H, T, D); key and value may have fewer heads.
        key: As the query.
        value: As the query.
        attention_mask: For rows that are not packed.
        segments: Of a packed row; None: the rows are not packed.
        options: Dropout, scaling and what else sdpa of transformers takes.

    Raises:
        ValueError: A sample is longer than the layer's sliding window.

    """
    if segments is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return _attend_in_segments(module, (query, key, value), segments, options)


@torch.compiler.disable(reason="lengths differ in every row; a graph would be made for each")
def _attend_in_segments(
    module: nn.Module, tensors: Sequence[Tensor], segments: Segments, options: dict[str, Any]
) -> Attended:
    window = options.get("sliding_window")
    if window is not None and max(segments.lengths) > window:
        raise ValueError(
            f"a sample of {max(segments.lengths)} tokens in a layer that looks back {window}; "
            "set batch.packing=none"
        )
    if (dtype := _kernel_dtype(tensors[0], options)) is not None:
        tensors = tuple(tensor.to(dtype) for tensor in tensors)
        longest, scaling = max(segments.lengths), options.get("scaling")
        return _in_one_call(tensors, segments.boundaries, longest, CAUSAL, scaling)
    return _one_by_one(module, tensors, segments.lengths, options)


def attend_by_picture(  # noqa: PLR0913 - transformers calls it
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    cu_seq_lens_q: Tensor,
    max_length_q: int,
    **options: Any,
) -> Attended:
    """Return what each patch reads of its picture, as transformers calls flash attention.

    Args:
        module: The attention layer of a vision tower.
        query: (1, H, T, D), all pictures one after the other.
        key: As the query.
        value: As the query.
        attention_mask: None.
        cu_seq_lens_q: Where pictures, or windows of them, begin and the last ends.
        max_length_q: Patches of the largest.
        options: Dropout, scaling and what else flash attention of transformers takes.

    """
    assert attention_mask is None, "a vision tower has no mask"
    if (dtype := _kernel_dtype(query, options)) is not None:
        tensors = tuple(tensor.to(dtype) for tensor in (query, key, value))
        scaling = options.get("scaling")
        return _in_one_call(tensors, cu_seq_lens_q, max_length_q, EVERYTHING, scaling)
    lengths: list[int] = cu_seq_lens_q.diff().tolist()
    return _one_by_one(module, (query, key, value), lengths, options)


def _one_by_one(
    module: nn.Module, tensors: Sequence[Tensor], lengths: Sequence[int], options: dict[str, Any]
) -> Attended:
    pieces = zip(*(tensor.split(list(lengths), dim=2) for tensor in tensors), strict=True)
    attended = [
        sdpa_attention_forward(module, query, key, value, None, **options)[0]
        for query, key, value in pieces
    ]
    return torch.cat(attended, dim=1), None


def _in_one_call(
    tensors: tuple[Tensor, ...],
    boundaries: Tensor,
    longest: int,
    window: tuple[int, int],
    scaling: float | None,
) -> Attended:
    query, key, value = (tensor[0].transpose(0, 1) for tensor in tensors)  # (T, H, D)
    attended = varlen_attn(
        query,
        key,
        value,
        boundaries,
        boundaries,
        longest,
        longest,
        scale=scaling,
        window_size=window,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(attended, Tensor)
    return attended[None], None


def _kernel_dtype(query: Tensor, options: dict[str, Any]) -> torch.dtype | None:
    """The precision in which one call can attend to everything; None: it cannot."""
    dtype = _product_dtype(query)
    can = has_variable_length_kernel(query.device) and not options.get("dropout")
    return dtype if can and dtype in HALF else None


def _product_dtype(tensor: Tensor) -> torch.dtype:
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


@cache
def has_variable_length_kernel(device: torch.device) -> bool:
    """Whether torch has variable-length flash attention for a device."""
    if device.type != "cuda" or not signature(varlen_attn).parameters.keys() >= NEEDED:
        return False
    return torch.cuda.get_device_capability(device) >= FIRST_CAPABILITY


def attend_by_segment(model: Any, device: torch.device) -> None:
    """Let a model that runs sdpa attend within samples and pictures on its device."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    AttentionInterface.register(PICTURES_NAME, attend_by_picture)
    text, vision = model.config.text_config, model.model.visual.config
    if text._attn_implementation == "sdpa":
        text._attn_implementation = NAME
    if vision._attn_implementation == "sdpa" and has_variable_length_kernel(device):
        vision._attn_implementation = PICTURES_NAME


def packed_inputs(model: nn.Module, positions: Tensor, lengths: Sequence[int]) -> dict[str, Any]:
    """Return what tells a model where the samples of a packed row lie.

    Attention by segments is told the segments; three rows of positions keep transformers from a
    mask. Other kinds of attention see from the first of four rows where samples begin.

    Args:
        model: The model.
        positions: (4, 1, T), in the text of each sample and of its rotary embedding.
        lengths: Tokens of each sample.

    """
    if _text_config(model)._attn_implementation != NAME:
        return {"position_ids": positions}
    return {"position_ids": positions[1:], "segments": Segments.of(lengths, positions.device)}


def packed_attention(model: nn.Module, dtype: torch.dtype, device: torch.device) -> str:
    """Return in words how a model attends in packed rows of that precision."""
    name: str = _text_config(model)._attn_implementation
    if name != NAME:
        return {"eager": "eager with a mask of all pairs"}.get(name, name)
    if dtype in HALF and has_variable_length_kernel(device):
        return "variable-length flash attention of torch"
    return "sdpa, a call for each sample"


def _text_config(model: nn.Module) -> Any:
    return base_of(model).config.text_config
