"""Cut pictures into patches as the image processors of Qwen-VL do, byte for byte."""

# P patches, D values a patch (channels x frames x patch x patch)

from dataclasses import dataclass

import numpy as np
from PIL import Image

from trainer.data.gallery import Grid
from trainer.data.pictures import PictureRule

CHANNELS = 3


@dataclass(frozen=True)
class Cutting:
    """What decides the patches of a picture. Whoever makes one proves it on a small picture."""

    rule: PictureRule
    frames: int  # a picture stands for so many frames of a film
    resample: Image.Resampling

    def patches(self, pixels: Image.Image, size: tuple[int, int]) -> tuple[np.ndarray, Grid]:
        """Return an RGB picture's patches, uint8 (P, D), in the order of visual tokens; its grid.

        Colours stay bytes: a quarter of the size on the way to the device, where they are
        normalised. Source: `Qwen2VLImageProcessorPil` of transformers.

        Args:
            pixels: May be smaller than the picture is.
            size: Width and height that the picture counts as.

        """
        tall, wide = self.rule.resized(*size)
        if pixels.size != (wide, tall):
            pixels = pixels.resize((wide, tall), self.resample)
        patch, merge = self.rule.patch, self.rule.merge
        rows, columns = tall // patch, wide // patch
        colours = np.asarray(pixels).reshape(
            rows // merge, merge, patch, columns // merge, merge, patch, CHANNELS
        )
        # visual tokens by row and column, patches within one, channels, lines of a patch
        ordered = colours.transpose(0, 3, 1, 4, 6, 2, 5)[:, :, :, :, :, None]
        repeated = np.broadcast_to(ordered, (*ordered.shape[:5], self.frames, *ordered.shape[6:]))
        return repeated.reshape(rows * columns, -1), (1, rows, columns)
