"""Pictures for people: what the patches of a sample show, made small and put into text."""

# P patches, D values a patch (channels x frames x patch x patch)

import base64
import io

import numpy as np
from PIL import Image

from trainer.data.pictures import PictureRule

LARGEST_SIDE_PIXELS = 1024  # of a picture that is handed on
CHANNELS, FRAMES = 3, 2  # a still picture is two equal frames to these models
LOSSLESS_PIXELS = 128 * 128  # small pictures stay sharp
QUALITY = 85  # of JPEG


def picture_of_patches(
    patches: np.ndarray, grid: tuple[int, int, int], rule: PictureRule
) -> Image.Image:
    """Return the picture that patches, uint8 (P, D), were cut from.

    The order of the patches is that of transformers' image processor of Qwen2-VL: those of one
    visual token beside each other.
    """
    _, rows, columns = grid
    merge, patch = rule.merge, rule.patch
    blocks = patches.reshape(
        -1, rows // merge, columns // merge, merge, merge, CHANNELS, FRAMES, patch, patch
    )
    first = blocks[0, :, :, :, :, :, 0]  # (rows, columns of tokens, merge, merge, 3, patch, patch)
    pixels = first.transpose(0, 2, 5, 1, 3, 6, 4)
    return Image.fromarray(pixels.reshape(rows * patch, columns * patch, CHANNELS).copy())


def data_uri(picture: Image.Image) -> str:
    """Return an RGB picture as text, made smaller where it is larger than needed."""
    small = picture.copy()
    small.thumbnail((LARGEST_SIDE_PIXELS, LARGEST_SIDE_PIXELS))
    kind = "PNG" if small.width * small.height <= LOSSLESS_PIXELS else "JPEG"
    buffer = io.BytesIO()
    small.save(buffer, kind, quality=QUALITY)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
