"""What is odd about the sizes of pictures."""

from collections.abc import Iterator

from trainer.check.findings import Remark, warning
from trainer.data.measuring import Measured
from trainer.data.pictures import PictureRule

SHRUNK = 16  # times as many pixels as the model sees: a quarter of each edge is left
ENLARGED = 64  # times fewer pixels than the model sees
EXTREME_RATIO = 20  # of the edges; over 200 is refused


def odd_sizes(measured: Measured, rule: PictureRule) -> Iterator[Remark]:
    """Yield pictures of which the model will not see much."""
    for number, image in enumerate(measured.images, start=1):
        tall, wide = rule.resized(image.width, image.height)
        size, seen = f"{image.width} x {image.height}", f"{wide} x {tall}"
        of = f"image {number} of {len(measured.images)}"
        if image.width * image.height > SHRUNK * tall * wide:
            yield warning(
                "huge image",
                f"{of}: {size} pixels are shrunk to {seen}",
                "raise data.max_pixels, or cut the image into parts if details matter",
            )
        elif image.width * image.height * ENLARGED < tall * wide:
            yield warning(
                "tiny image",
                f"{of}: {size} pixels are enlarged to {seen}",
                "lower data.min_pixels, or replace the image",
            )
        if max(image.width, image.height) > EXTREME_RATIO * min(image.width, image.height):
            yield warning(
                "extreme aspect ratio",
                f"{of}: {size} pixels are seen as {seen}",
                "cut the image into parts",
            )
