"""Rotary positions of a sample are those of transformers, whatever pictures lie in it."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel

from trainer.data.positions import rope_positions

MODELS = (Qwen3VLModel, Qwen2_5_VLModel, Qwen2VLModel)
text = st.integers(1, 9)
picture = st.tuples(st.just(1), st.integers(1, 6), st.integers(1, 6))


def upstream(model: type, kinds: np.ndarray, grids: list[tuple[int, int, int]]) -> torch.Tensor:
    """Return what `get_rope_index` says; it reads nothing of the model but its configuration."""
    bare: Any = object.__new__(model)
    torch.nn.Module.__init__(bare)
    bare.config = bare.config_class()
    assert bare.config.vision_config.spatial_merge_size == 2
    positions, _ = bare.get_rope_index(
        torch.ones(1, len(kinds), dtype=torch.long),
        mm_token_type_ids=torch.from_numpy(kinds)[None],
        image_grid_thw=torch.tensor(grids) if grids else None,
    )
    return positions[:, 0]


@pytest.mark.parametrize("model", MODELS)
@given(first=st.integers(0, 9), parts=st.lists(st.tuples(picture, text), max_size=4))
def test_positions_equal_those_of_transformers(model: type, first: int, parts: list):
    kinds, grids = [0] * first, []
    for (time, tall, wide), words in parts:
        kinds += [1] * (tall * wide) + [0] * words
        grids.append((time, 2 * tall, 2 * wide))
    if not kinds:
        kinds = [0]
    array = np.array(kinds)
    found = torch.from_numpy(rope_positions(array, grids, 2))
    assert torch.equal(found, upstream(model, array, grids))


def test_two_pictures_may_touch():
    kinds = np.array([0, 1, 1, 1, 1, 1, 0])
    found = rope_positions(kinds, [(1, 4, 4), (1, 2, 2)], 2)
    pixels = [[1 + row, 1 + column] for row, column in product(range(2), range(2))]
    assert found[1:, 1:5].T.tolist() == pixels
    assert found[:, 5:].T.tolist() == [[3, 3, 3], [4, 4, 4]]
