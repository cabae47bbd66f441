"""Pictures of every kind, whole and broken."""

import base64
import io
import struct
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trainer.data.encoded import ImageError, ImagePolicy, read_encoded
from trainer.data.images import decode_image, image_size

POLICY = ImagePolicy(max_source_pixels=1_000_000, allow_remote=False)
Picture = Callable[..., Image.Image]
Encoded = Callable[..., bytes]


def pixels(data: bytes) -> np.ndarray:
    image = decode_image(data, POLICY)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, body, b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_formats_without_loss_give_the_same_pixels(picture: Picture, encoded: Encoded, kind: str):
    image = picture(40, 30)
    assert (pixels(encoded(image, kind)) == np.asarray(image)).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_formats_with_loss_give_nearly_the_same_pixels(encoded: Encoded, kind: str):
    image = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    assert np.abs(pixels(encoded(image, kind)) - np.asarray(image)).mean() < 3


def test_of_an_animation_the_first_picture_counts(encoded: Encoded):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (pixels(data) == [255, 0, 0]).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(encoded: Encoded, kind: str):
    samples = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    data = encoded(Image.fromarray(samples), kind)
    assert (pixels(data)[..., 0] == np.arange(256).reshape(16, 16)).all()


def test_samples_of_32_bits_are_an_error(encoded: Encoded):
    data = encoded(Image.fromarray(np.ones((8, 8), dtype=np.float32)), "TIFF")
    with pytest.raises(ImageError, match="32 bits"):
        decode_image(data, POLICY)


def test_cmyk_is_converted(encoded: Encoded):
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    red, green, blue = pixels(data)[8, 8]
    assert (red > 200, green < 60, blue < 60) == (True, True, True)


def test_palette_grey_and_one_bit_are_converted(picture: Picture, encoded: Encoded):
    for mode in ("P", "L", "1"):
        image = picture(16, 16, mode)
        assert (pixels(encoded(image)) == np.asarray(image.convert("RGB"))).all()


def test_transparent_parts_are_white(encoded: Encoded):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half = Image.new("LA", (4, 4), (0, 128))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert (pixels(encoded(clear)) == 255).all()
    assert (pixels(encoded(half)) == 127).all()
    assert (pixels(encoded(palette, transparency=1)) == 255).all()
    assert (pixels(encoded(Image.new("RGB", (4, 4), "red"), transparency=(255, 0, 0))) == 255).all()


def test_the_orientation_of_the_camera_is_applied(encoded: Encoded):
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = pixels(encoded(image, "JPEG", exif=exif))
    assert turned.shape == (40, 20, 3)
    assert turned[5].mean() > 200
    assert turned[35].mean() < 50


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_pictures_are_errors(picture: Picture, encoded: Encoded, kind: str, share: float):
    data = encoded(picture(100, 100), kind)
    with pytest.raises(ImageError):
        decode_image(data[: int(len(data) * share)], POLICY)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "zero bytes"),
        (b"not an image", "not decodable"),
        (png_header(65_000, 65_000), "over 1000000 pixels"),
        (png_header(2_000_000_000, 2_000_000_000), "over 1000000 pixels"),
        (png_header(1001, 1000), "over 1000000 pixels"),
        (png_header(2010, 10), "aspect ratio over 200"),
        (png_header(10, 2010), "aspect ratio over 200"),
        (png_header(10, 10), "not decodable"),
    ],
)
def test_bombs_and_oddities_are_refused_with_the_reason(data: bytes, what: str):
    with pytest.raises(ImageError, match=what):
        decode_image(data, POLICY)


def test_other_formats_are_not_even_tried(picture: Picture, encoded: Encoded):
    for kind in ("PPM", "ICO", "EPS", "TGA"):
        with pytest.raises(ImageError):
            decode_image(encoded(picture(), kind), POLICY)


def test_the_limit_of_pillow_is_left_as_it_was():
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError):
        image_size(png_header(65_000, 65_000), POLICY)
    assert before == Image.MAX_IMAGE_PIXELS


def test_pictures_come_from_uris_base64_and_paths(
    tmp_path: Path, picture: Picture, encoded: Encoded
):
    data = encoded(picture(), "JPEG")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bild 1.jpg").write_bytes(data)
    text = base64.b64encode(data).decode()
    wrapped = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    for reference in (
        *(f"data:image/jpeg;base64,{text}", f"DATA:;BASE64,{text}", text, wrapped),
        *(base64.urlsafe_b64encode(data).decode(), text.rstrip("=")),
        *(
            "sub/bild 1.jpg",
            str(tmp_path / "sub" / "bild 1.jpg"),
            f"file://{tmp_path}/sub/bild 1.jpg",
        ),
    ):
        assert read_encoded(reference, tmp_path, POLICY) == data, reference[:40]


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        ("missing.png", "no file 'missing.png'"),
        ("x" * 5000 + ".png", "no file"),
        ("a\0b", "no file"),
        ("/dev/zero", "not a regular file"),
        (".", "not a regular file"),
        ("data:image/png,abc", "not base64"),
        ("data:image/png;base64,!!!!", "bad base64"),
        ("data:image/png;base64,A", "bad base64"),
        ("data:image/png;base64," + "A" * 30_000_000, "at most .* are decoded"),
        ("A" * 30_000_000, "at most .* are decoded"),
        ("https://example.org/a.png", "data.allow_remote=true"),
        ("HTTP://example.org/a.png", "data.allow_remote=true"),
    ],
)
def test_references_that_lead_nowhere_are_errors(tmp_path: Path, reference: str, what: str):
    with pytest.raises(ImageError, match=what):
        read_encoded(reference, tmp_path, POLICY)


def test_a_large_file_is_not_read(tmp_path: Path):
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(ImageError, match="has 1000000000 bytes"):
        read_encoded("large.png", tmp_path, POLICY)


class _Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"x" * 2**20)
            except OSError:
                return
        else:
            self.send_response(200 if self.path == "/good" else 404)
            self.end_headers()
            self.wfile.write(b"picture")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def test_addresses_are_fetched_when_allowed_within_limits(tmp_path: Path):
    policy = ImagePolicy(max_source_pixels=1_000_000, allow_remote=True)
    with HTTPServer(("127.0.0.1", 0), _Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert read_encoded(f"{address}/good", tmp_path, policy) == b"picture"
        for path, what in (("bad", "404"), ("away", "not allowed|unknown"), ("endless", "over")):
            with pytest.raises(ImageError, match=what):
                read_encoded(f"{address}/{path}", tmp_path, policy)
        server.shutdown()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_pictures_are_decoded_or_image_errors(data: st.DataObject):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]))
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((24, 24)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_image(bytes(content), POLICY)
    except ImageError:
        return
