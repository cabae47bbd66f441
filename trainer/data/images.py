"""Turn an encoded image into RGB pixels, safely."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from trainer.data.encoded import ImageError, ImagePolicy

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_ASPECT_RATIO = 200  # the image processors of all Qwen-VL models refuse more


@contextmanager
def guarded(policy: ImagePolicy) -> Iterator[None]:
    """Turn whatever a decoder raises over foreign bytes, bombs included, into an ImageError."""
    limit_before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = policy.max_source_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd tag is no fault of the picture
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"over {policy.max_source_pixels} pixels (data.max_source_pixels)"
        ) from error
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"not decodable: no header of {', '.join(FORMATS)}") from error
    except Exception as error:
        raise ImageError(f"not decodable: {str(error) or type(error).__name__}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit_before


def image_size(encoded: bytes, policy: ImagePolicy) -> tuple[int, int]:
    """Return width and height from the header, as stored, without decoding any pixel.

    Raises:
        ImageError: No image of a known format, or one over the limits.

    """
    if not encoded:
        raise ImageError("zero bytes")
    with guarded(policy), Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        width, height = image.size
    check_size(width, height)
    return width, height


def check_size(width: int, height: int) -> None:
    """Raise ImageError for a picture without pixels, or too long for its breadth."""
    if width < 1 or height < 1:
        raise ImageError(f"{width} x {height} pixels")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ImageError(f"{width} x {height} pixels: an aspect ratio over {MAX_ASPECT_RATIO}")


def decode_image(
    encoded: bytes, policy: ImagePolicy, needed: tuple[int, int] | None = None
) -> Image.Image:
    """Return the picture in RGB, upright, its transparent parts on white; of several the first.

    With a width and height that are `needed` (of the picture as it is stored), a JPEG comes in the
    smallest of its half, quarter and eighth that has them: its decoder leaves out the rest.

    Raises:
        ImageError: The data is broken or incomplete, or the picture is over the limits.

    """
    image_size(encoded, policy)
    with guarded(policy), Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        if needed is not None:
            image.draft(None, needed)
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8 instead of scaling them.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ImageError("samples of 32 bits, whose range is unknown; convert it to 8 bits")
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours).convert("RGB")
    return image.convert("RGB")
