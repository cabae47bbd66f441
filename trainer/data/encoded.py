"""Find the encoded image that a record names, and read as much of it as is wanted."""

import binascii
import io
import re
import stat
import time
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
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

LONGEST_PATH = 4096
BYTES_PER_PIXEL = 8  # four channels of 16 bits: no format needs more
SMALLEST_LIMIT_BYTES = 16 * 2**20
REMOTE_TIMEOUT_SECONDS = 30.0
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64 = re.compile(r"[A-Za-z0-9+/\-_\s]+={0,2}\s*")
_DATA_URI = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)
_URL_SAFE_TO_STANDARD = {ord("-"): "+", ord("_"): "/", **dict.fromkeys(map(ord, " \t\r\n"))}


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


@dataclass(frozen=True)
class EncodedFile:
    """An image in a file of its own."""

    path: Path
    size_bytes: int
    modified_ns: int

    def read(self) -> bytes:
        """Return all of it; raises ImageError."""
        with self.open() as file:
            try:
                return file.read()
            except OSError as error:
                raise ImageError(f"{self.path}: {error.strerror}") from error

    def open(self) -> BinaryIO:
        """Return it as a file, for those who want only a part; raises ImageError."""
        try:
            return self.path.open("rb")
        except OSError as error:
            raise ImageError(f"{self.path}: {error.strerror}") from error


@dataclass(frozen=True)
class EncodedText:
    """An image as base64 text inside its record."""

    text: str

    def read(self) -> bytes:
        """Return all of it, decoded; raises ImageError."""
        try:
            compact = self.text.translate(_URL_SAFE_TO_STANDARD)
            return b64decode(compact + "=" * (-len(compact) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ImageError(f"bad base64: {error}") from error

    def open(self) -> BinaryIO:
        """Return it as a file that decodes what is read of it; raises ImageError.

        All of the text is checked, as `read` does.
        """
        if not self.text.isascii():
            return io.BytesIO(self.read())
        text = self.text.encode()
        others = text.translate(None, _ALPHABET)
        plain = not others or (len(others) <= 2 and text.endswith(b"==="[: len(others)]))
        if not plain or len(text) % 4:
            return io.BytesIO(self.read())
        return io.BufferedReader(_Decoding(text, len(text) // 4 * 3 - len(others)))


@dataclass(frozen=True)
class EncodedBytes:
    """An image that was fetched from an address."""

    data: bytes

    def read(self) -> bytes:
        """Return all of it."""
        return self.data

    def open(self) -> BinaryIO:
        """Return it as a file."""
        return io.BytesIO(self.data)


Encoded = EncodedFile | EncodedText | EncodedBytes


class _Decoding(io.RawIOBase):
    """Base64 text as the bytes it stands for; only what is read gets decoded."""

    def __init__(self, text: bytes, size_bytes: int) -> None:
        self._text = text
        self._size_bytes = size_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}
        self._position = max(0, start[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        first, skipped = divmod(self._position, 3)  # four characters stand for three bytes
        groups = -(-(skipped + len(buffer)) // 3)
        piece = binascii.a2b_base64(self._text[first * 4 : (first + groups) * 4])
        taken = piece[skipped : skipped + len(buffer)]
        buffer[: len(taken)] = taken
        self._position += len(taken)
        return len(taken)


def read_encoded(reference: str, folder: Path, policy: ImagePolicy) -> bytes:
    """Return the encoded image that a record names; arguments and errors as `find_encoded`."""
    return find_encoded(reference, folder, policy).read()


def find_encoded(reference: str, folder: Path, policy: ImagePolicy) -> Encoded:
    """Return where the encoded image that a record names can be read.

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
        return _text(reference[match.end() :], policy)
    if reference[:8].lower().startswith(("http://", "https://")):
        return EncodedBytes(_fetched(reference, policy))
    reference = reference.removeprefix("file://")
    if _is_there(reference, folder):
        return _file(folder / reference, policy)
    if _is_base64(reference):
        return _text(reference, policy)
    shown = reference if len(reference) <= 120 else f"{reference[:100]}... ({len(reference)} chars)"
    raise ImageError(f"no file {shown!r} in {folder}, and the text is not base64 either")


def is_path(reference: str, folder: Path) -> bool:
    """Whether a reference names a file, there or not; others hold their image or are addresses."""
    if _DATA_URI.match(reference) or reference[:8].lower().startswith(("http://", "https://")):
        return False
    return _is_there(reference, folder) or not _is_base64(reference)


def _is_base64(reference: str) -> bool:
    return len(reference) >= 64 and _BASE64.fullmatch(reference) is not None


def _is_there(reference: str, folder: Path) -> bool:
    if len(reference) > LONGEST_PATH or "\0" in reference:
        return False
    try:
        return (folder / reference).exists()
    except OSError:  # a name too long for the file system, no right to look
        return False


def _text(text: str, policy: ImagePolicy) -> EncodedText:
    if len(text) // 4 * 3 > policy.max_encoded_bytes:
        raise ImageError(
            f"base64 text of {len(text)} characters, at most "
            f"{policy.max_encoded_bytes // 3 * 4} are decoded"
        )
    return EncodedText(text)


def _file(path: Path, policy: ImagePolicy) -> EncodedFile:
    try:
        status = path.stat()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{path} is not a regular file")
    if status.st_size > policy.max_encoded_bytes:
        raise ImageError(
            f"{path} has {status.st_size} bytes, at most {policy.max_encoded_bytes} are read"
        )
    return EncodedFile(path, status.st_size, status.st_mtime_ns)


def _fetched(address: str, policy: ImagePolicy) -> bytes:
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
