"""Read the pictures that a record names, and decode those whose pixels are needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image

from trainer.data.encoded import EncodedBytes, ImageError, ImagePolicy, read_encoded
from trainer.data.errors import RecordError, Source
from trainer.data.headers import size_by_header
from trainer.data.images import decode_image, image_size
from trainer.data.pictures import PictureRule
from trainer.data.room import Room

JPEG = b"\xff\xd8\xff"  # how every such file begins
Grid = tuple[int, int, int]  # frames, rows and columns of patches
KeptImages = Mapping[bytes, Grid]  # SHA-256 of the encoded image -> how it is cut into patches


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a sample: its pixels, or the word that nobody needs them."""

    size: tuple[int, int]  # width and height, upright
    pixels: Image.Image | None  # RGB, maybe smaller; None: the tower's output is kept
    key: bytes = b""  # SHA-256 of the encoded image; empty: the pixels are not those of the image
    grid: Grid | None = None  # of a picture without pixels

    @classmethod
    def of(cls, pixels: Image.Image) -> "Picture":
        """Return a picture that is not as any image has it."""
        return cls(pixels.size, pixels)


@dataclass(frozen=True)
class Gallery:
    """Reads the images of records within their limits."""

    policy: ImagePolicy
    rule: PictureRule
    room: Room
    kept: KeptImages | None = None  # images that need no pixels; None: keys are of no use
    draft: bool = False  # JPEGs may come smaller, as long as they have the pixels that are needed

    def look(self, source: Source, references: Sequence[str], text_tokens: int) -> list[Picture]:
        """Return the pictures that a record names.

        Headers are read first: none is decoded when all together are too large.

        Raises:
            RecordError: An image cannot be used; OverLong when they do not fit beside the text.

        """
        self.room.for_tokens(source, text_tokens)
        encoded: list[bytes] = []
        visual_tokens = 0
        for number, reference in enumerate(references, start=1):
            try:
                data = read_encoded(reference, Path(source.file).parent, self.policy)
                width, height = image_size(data, self.policy)
            except ImageError as error:
                raise image_error(source, number, len(references), error) from error
            encoded.append(data)
            visual_tokens += self.rule.visual_tokens(width, height)
            tokens = text_tokens - number + visual_tokens
            self.room.for_images(source, tokens, number, len(references))
        return [self._picture(source, encoded, place) for place in range(len(encoded))]

    def keys(self, pictures: Sequence[Picture]) -> tuple[bytes, ...]:
        """Return the keys of pictures; none where they are of no use."""
        return () if self.kept is None else tuple(picture.key for picture in pictures)

    def _picture(self, source: Source, encoded: Sequence[bytes], place: int) -> Picture:
        data = encoded[place]
        key = b"" if self.kept is None else sha256(data).digest()
        grid = self.kept.get(key) if self.kept else None
        try:
            if grid is not None:  # its size is what words about places in it depend on
                return Picture(size_by_header(EncodedBytes(data), self.policy), None, key, grid)
            if self.draft and data.startswith(JPEG):
                return self._draft(data, key)
            pixels = decode_image(data, self.policy)
        except ImageError as error:
            raise image_error(source, place + 1, len(encoded), error) from error
        return Picture(pixels.size, pixels, key)

    def _draft(self, data: bytes, key: bytes) -> Picture:
        tall, wide = self.rule.resized(*image_size(data, self.policy))
        pixels = decode_image(data, self.policy, needed=(wide, tall))
        return Picture(size_by_header(EncodedBytes(data), self.policy), pixels, key)


def image_error(source: Source, number: int, images: int, error: ImageError) -> RecordError:
    """Return what is said of a record whose image cannot be used."""
    what = f"image {number} of {images}: {error}"
    return RecordError(source, what, "replace the image or remove the record")
