"""Where the tokens of a sample stand for rotary position embeddings."""

# T tokens, I images

from collections.abc import Sequence

import numpy as np

IMAGE = 1  # kind of a visual token


def rope_positions(kinds: np.ndarray, grids: Sequence[Sequence[int]], merge: int) -> np.ndarray:
    """Return time, height and width of each token, int64 (3, T).

    Text counts on in all three; a picture spreads over its grid, and what follows it goes on
    behind its longer edge. As `get_rope_index` of Qwen2-VL, Qwen2.5-VL and Qwen3-VL in
    transformers has it, for one sample and without video.

    Args:
        kinds: Of each token, (T,): 0 text, 1 image.
        grids: Of each image, (I, 3): patches in time, height and width.
        merge: Patches along the edge of one visual token.

    """
    positions = np.empty((3, len(kinds)), dtype=np.int64)
    visual = np.flatnonzero(kinds == IMAGE)
    token = position = seen = 0
    for time, height, width in grids:
        tall, wide = height // merge, width // merge
        count, first = time * tall * wide, int(visual[seen])
        positions[:, token:first] = position + np.arange(first - token)
        position += first - token
        grid = np.indices((time, tall, wide)).reshape(3, count)
        positions[:, first : first + count] = position + grid
        position += max(tall, wide)
        token, seen = first + count, seen + count
    positions[:, token:] = position + np.arange(len(kinds) - token)
    return positions
