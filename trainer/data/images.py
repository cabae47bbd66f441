"""Turn an image as a record names it into RGB pixels, safely."""

import binascii
import io
import re
import stat
import time
import warnings
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
)

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_ASPECT_RATIO = 200  # the image processors of all Qwen-VL models refuse more
LONGEST_PATH = 4096
BYTES_PER_PIXEL = 8  # four channels of 16 bits: no format needs more
SMALLEST_LIMIT_BYTES = 16 * 2**20
REMOTE_TIMEOUT_SECONDS = 30.0
_BASE64 = re.compile(r"[A-Za-z0-9+/\-_\s]+={0,2}\s*")
_DATA_URI = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)


class ImageError(ValueError):
    """An image that cannot be used."""


@dataclass(frozen=True)
class ImagePolicy:
    """What may be read, and how much of it."""

    max_source_pixels: int
    allow_remote: bool

    @property
    def max_encoded_bytes(self) -> int:
        """No picture within the pixel limit needs more, in bytes."""
        return max(SMALLEST_LIMIT_BYTES, self.max_source_pixels * BYTES_PER_PIXEL)


def read_encoded(reference: str, folder: Path, policy: ImagePolicy) -> bytes:
    """Return the encoded image that a record names.

    Args:
        reference: A data URI, base64 text, a path (relative ones to `folder`), or an address.
        folder: Where the record's file lies.
        policy: The limits.

    Raises:
        ImageError: There is no such image, or it is over the limits.

    """
    if match := _DATA_URI.match(reference):
        if "base64" not in match[1].lower().split(";"):
            raise ImageError("a data URI that is not base64; write data:image/...;base64,...")
        return _from_base64(reference[match.end() :], policy)
    if reference[:8].lower().startswith(("http://", "https://")):
        return _from_address(reference, policy)
    reference = reference.removeprefix("file://")
    path = folder / reference
    if len(reference) <= LONGEST_PATH and "\0" not in reference and _exists(path):
        return _from_file(path, policy)
    if len(reference) >= 64 and _BASE64.fullmatch(reference):
        return _from_base64(reference, policy)
    shown = reference if len(reference) <= 120 else f"{reference[:100]}... ({len(reference)} chars)"
    raise ImageError(f"no file {shown!r} in {folder}, and the text is not base64 either")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for the file system, no right to look
        return False


def _from_base64(text: str, policy: ImagePolicy) -> bytes:
    if len(text) // 4 * 3 > policy.max_encoded_bytes:
        raise ImageError(
            f"base64 text of {len(text)} characters, at most "
            f"{policy.max_encoded_bytes // 3 * 4} are decoded"
        )
    try:
        compact = text.translate(_URL_SAFE_TO_STANDARD)
        data = b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"bad base64: {error}") from error
    return data


_URL_SAFE_TO_STANDARD = {ord("-"): "+", ord("_"): "/", **dict.fromkeys(map(ord, " \t\r\n"))}


def _from_file(path: Path, policy: ImagePolicy) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path} is not a regular file")
        if status.st_size > policy.max_encoded_bytes:
            raise ImageError(
                f"{path} has {status.st_size} bytes, at most {policy.max_encoded_bytes} are read"
            )
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error


def _from_address(address: str, policy: ImagePolicy) -> bytes:
    if not policy.allow_remote:
        raise ImageError(
            f"the address {address[:120]!r}; download the image, or set data.allow_remote=true"
        )
    opener = OpenerDirector()  # http and https only, also when redirected
    for handler in (
        *(ProxyHandler, HTTPHandler, HTTPSHandler),
        *(HTTPRedirectHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor),
    ):
        opener.add_handler(handler())
    deadline = time.monotonic() + REMOTE_TIMEOUT_SECONDS
    data = bytearray()
    try:
        with opener.open(address, timeout=REMOTE_TIMEOUT_SECONDS) as response:
            while block := response.read1(2**20):
                data += block
                if len(data) > policy.max_encoded_bytes:
                    raise ImageError(f"{address[:120]}: over {policy.max_encoded_bytes} bytes")
                if time.monotonic() > deadline:
                    raise ImageError(f"{address[:120]}: slower than {REMOTE_TIMEOUT_SECONDS:g} s")
    except (URLError, OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{address[:120]}: {error}") from error
    return bytes(data)


@contextmanager
def _guarded(policy: ImagePolicy) -> Iterator[None]:
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
    with _guarded(policy), Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        width, height = image.size
    if width < 1 or height < 1:
        raise ImageError(f"{width} x {height} pixels")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ImageError(f"{width} x {height} pixels: an aspect ratio over {MAX_ASPECT_RATIO}")
    return width, height


def decode_image(encoded: bytes, policy: ImagePolicy) -> Image.Image:
    """Return the picture in RGB, upright, its transparent parts on white; of several the first.

    Raises:
        ImageError: The data is broken or incomplete, or the picture is over the limits.

    """
    image_size(encoded, policy)
    with _guarded(policy), Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
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
