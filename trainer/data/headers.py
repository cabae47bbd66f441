"""Learn an image's size from its header, reading no more of it than that takes."""

import io
from collections.abc import Callable
from typing import BinaryIO

from PIL import Image

from trainer.data.encoded import Encoded, ImageError, ImagePolicy
from trainer.data.images import FORMATS, check_size, decode_image, guarded

TAIL_BYTES = 1024  # some programs append something to a picture
ORIENTATION, ON_THEIR_SIDE = 0x0112, (5, 6, 7, 8)
HOLDERS_OF_EXIF = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
UNKNOWN_RANGE = ("I", "F")  # modes that only the decoder can judge


class Undecodable(ImageError):
    """An image whose header is fine, and what comes behind it is not."""

    def __init__(self, message: str, size: tuple[int, int]) -> None:
        super().__init__(message, size)  # kept as arguments, so that it can be pickled
        self.size = size  # width and height

    def __str__(self) -> str:
        return str(self.args[0])


EndsWell = Callable[[BinaryIO, int], bool]  # of a file with its size in bytes


def size_by_header(
    encoded: Encoded, policy: ImagePolicy, *, decode: bool = False
) -> tuple[int, int]:
    """Return the upright picture's width and height; read are the header and the very end.

    A picture whose end is not there is decoded, so that the decoder says what it makes of it, and
    so is one of GIF or TIFF, whose end tells nothing. What is broken in the middle of others is
    only found with `decode`, which decodes every picture.

    Raises:
        ImageError: As `decode_image` of the whole image would; Undecodable where the header tells
            a size.

    """
    with guarded(policy), encoded.open() as file:
        size_bytes = file.seek(0, io.SEEK_END)
        if not size_bytes:
            raise ImageError("zero bytes")
        file.seek(0)
        with Image.open(file, formats=FORMATS) as image:
            size = image.size
            turned = _orientation(image) in ON_THEIR_SIDE
            certain = image.mode not in UNKNOWN_RANGE and _is_complete(image, file, size_bytes)
    check_size(*size)
    size = (size[1], size[0]) if turned else size
    if certain and not decode:
        return size
    try:
        return decode_image(encoded.read(), policy).size
    except ImageError as error:
        raise Undecodable(str(error), size) from error


def _orientation(image: Image.Image) -> int:
    """How the camera was held, as far as the header says."""
    if not HOLDERS_OF_EXIF & image.info.keys():
        return 1
    # The method of the base class: that of PNG would decode the picture to look behind it.
    return Image.Image.getexif(image).get(ORIENTATION, 1)


def _is_complete(image: Image.Image, file: BinaryIO, size_bytes: int) -> bool:
    """Whether a file ends as its format wants it; no means: not sure."""
    ends_well = _ENDS_WELL.get(image.format or "")
    return ends_well is not None and ends_well(file, size_bytes)


def _tail(file: BinaryIO, size_bytes: int) -> bytes:
    file.seek(max(0, size_bytes - TAIL_BYTES))
    return file.read(TAIL_BYTES)


def _jpeg(file: BinaryIO, size_bytes: int) -> bool:
    return b"\xff\xd9" in _tail(file, size_bytes)


def _png(file: BinaryIO, size_bytes: int) -> bool:
    tail = _tail(file, size_bytes)
    return b"IEND\xaeB`\x82" in tail and b"eXIf" not in tail  # which may turn it, behind it all


def _stated_length(offset: int, besides: int) -> EndsWell:
    """Formats that say near their beginning how long they are, as four bytes, little endian."""

    def ends_well(file: BinaryIO, size_bytes: int) -> bool:
        file.seek(offset)
        return 0 < int.from_bytes(file.read(4), "little") + besides <= size_bytes

    return ends_well


_ENDS_WELL: dict[str, EndsWell] = {
    "JPEG": _jpeg,
    "MPO": _jpeg,
    "PNG": _png,
    "BMP": _stated_length(2, 0),
    "WEBP": _stated_length(4, 8),
}
