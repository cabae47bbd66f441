"""A picture's header tells what the decoder would, and little is read for it."""

import base64
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.test_images import png_header
from trainer.data.encoded import Encoded, EncodedBytes, EncodedText, ImageError, ImagePolicy
from trainer.data.encoded import find_encoded as find
from trainer.data.headers import size_by_header
from trainer.data.images import FORMATS, decode_image

POLICY = ImagePolicy(max_source_pixels=4_000_000, allow_remote=False)
Picture = Callable[..., Image.Image]
Encode = Callable[..., bytes]


def opinion(judge: Callable[[], object]) -> str:
    """What is said against a picture, empty where nothing is."""
    try:
        judge()
    except ImageError as error:
        return str(error)
    return ""


def agree(data: bytes) -> str:
    """The decoder's opinion, once header and decoder were seen to be of one mind."""
    decoded = opinion(lambda: decode_image(data, POLICY))
    text = base64.b64encode(data).decode()
    for encoded in (EncodedBytes(data), EncodedText(text), EncodedText(text + "\n")):
        assert opinion(lambda it=encoded: size_by_header(it, POLICY)) == decoded
    if not decoded:
        assert size_by_header(EncodedText(text), POLICY) == decode_image(data, POLICY).size
    return decoded


def exif_last(png: bytes) -> bytes:
    """The same PNG with its eXIf chunk behind the pixels."""
    start = png.index(b"eXIf") - 4
    chunk = png[start : start + 12 + int.from_bytes(png[start : start + 4], "big")]
    rest = png.replace(chunk, b"")
    end = rest.index(b"IEND") - 4
    return rest[:end] + chunk + rest[end:]


def oddities(picture: Picture, encoded: Encode) -> dict[str, tuple[bytes, str]]:
    """Encoded pictures that a run may meet, and what must be said against each."""
    turned = Image.Exif()
    turned[0x0112] = 6
    sixteen = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64))
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime")]
    floats = Image.fromarray(np.ones((8, 8), dtype=np.float32))
    return {
        "empty": (b"", "zero bytes"),
        "no picture": (b"not an image", "not decodable"),
        "65,000 pixels square": (png_header(65_000, 65_000), "over 4000000 pixels"),
        "very wide": (encoded(picture(2010, 10)), "aspect ratio over 200"),
        "cut off": (encoded(picture(), "JPEG")[:-40], "not decodable"),
        "cut in the header": (encoded(picture(), "JPEG")[:60], "not decodable"),
        "floating point": (encoded(floats, "TIFF"), "32 bits"),
        "animated": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), ""),
        "16 bits": (encoded(sixteen), ""),
        "16 bits in TIFF": (encoded(sixteen, "TIFF"), ""),
        "CMYK": (encoded(Image.new("CMYK", (16, 16)), "JPEG"), ""),
        "palette": (encoded(picture(mode="P")), ""),
        "turned": (encoded(picture(40, 20), "JPEG", exif=turned), ""),
        "turned PNG": (encoded(picture(40, 20), "PNG", exif=turned), ""),
        "turned WEBP": (encoded(picture(40, 20), "WEBP", exif=turned), ""),
        "turned TIFF": (encoded(picture(40, 20), "TIFF", exif=turned), ""),
        "turned at the end": (exif_last(encoded(picture(40, 20), "PNG", exif=turned)), ""),
        "progressive": (encoded(picture(), "JPEG", progressive=True), ""),
        "something appended": (encoded(picture(), "JPEG") + b"\0" * 5000, ""),
    }


def test_header_and_decoder_agree_about_every_oddity(picture: Picture, encoded: Encode):
    for name, (data, complaint) in oddities(picture, encoded).items():
        said = agree(data)
        assert complaint in said if complaint else said == "", (name, said)


@given(
    kind=st.sampled_from(FORMATS), share=st.floats(0, 1), mode=st.sampled_from(["RGB", "L", "P"])
)
def test_wherever_a_picture_is_cut_off_header_and_decoder_agree(kind: str, share: float, mode: str):
    noise = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(noise)
    image.convert(mode if (kind, mode) not in (("JPEG", "P"), ("WEBP", "P")) else "L").save(
        buffer, kind
    )
    data = buffer.getvalue()
    agree(data[: round(len(data) * share)])


@given(text=st.text(alphabet="ABab01+/-_= \n!é", max_size=40))
def test_base64_is_taken_or_refused_as_when_it_is_read_whole(text: str):
    def read(encoded: Encoded) -> bytes:
        with encoded.open() as file:
            return file.read()

    whole = opinion(lambda: EncodedText(text).read())
    assert opinion(lambda: read(EncodedText(text))) == whole
    if not whole:
        assert read(EncodedText(text)) == EncodedText(text).read()


@given(
    data=st.binary(max_size=100_000),
    seeks=st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 9000))),
)
def test_any_part_of_base64_text_can_be_read(data: bytes, seeks: list[tuple[int, int]]):
    plain = io.BytesIO(data)
    with EncodedText(base64.b64encode(data).decode()).open() as file:
        assert file.seek(0, io.SEEK_END) == len(data)
        for offset, count in seeks:
            plain.seek(offset)
            file.seek(offset)
            assert file.read(count) == plain.read(count)


class _Counted(io.RawIOBase):
    """A file that counts what is read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.bytes = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        piece = self.file.read(len(buffer))
        buffer[: len(piece)] = piece
        self.bytes += len(piece)
        return len(piece)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_of_a_large_picture_only_header_and_end_are_read(
    picture: Picture, encoded: Encode, kind: str
):
    data = encoded(picture(1500, 1000), kind, icc_profile=os.urandom(100_000))
    counted = _Counted(io.BytesIO(data))

    class Watched(EncodedBytes):
        def open(self) -> BinaryIO:
            return io.BufferedReader(counted)

    assert len(data) > 1_000_000
    assert size_by_header(Watched(data), POLICY) == (1500, 1000)
    assert counted.bytes < 180_000


def test_what_is_broken_in_the_middle_is_found_by_decoding(picture: Picture, encoded: Encode):
    data = encoded(picture(200, 200))
    middle = len(data) // 2
    broken = EncodedBytes(data[:middle] + bytes(100) + data[middle + 100 :])
    assert size_by_header(broken, POLICY) == (200, 200)
    assert "not decodable" in opinion(lambda: size_by_header(broken, POLICY, decode=True))


def test_a_file_is_found_with_its_size_and_time(tmp_path: Path, picture: Picture, encoded: Encode):
    data = encoded(picture(30, 20))
    (tmp_path / "a.png").write_bytes(data)
    found = find("a.png", tmp_path, POLICY)
    assert size_by_header(found, POLICY) == (30, 20)
    assert getattr(found, "size_bytes", None) == len(data)
