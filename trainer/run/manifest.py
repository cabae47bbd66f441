"""What a checkpoint is made of, and whether it still is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainer.run.regular import read_small

MANIFEST_NAME = "manifest.json"


class DamagedCheckpoint(ValueError):
    """A checkpoint whose files are not those of its manifest."""


@dataclass(frozen=True)
class FileRecord:
    """Size and hash of one file of a checkpoint."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a checkpoint, by path inside it, and where it came from."""

    step: int
    attempt: int
    data_sha256: str
    versions: dict[str, str]
    files: dict[str, FileRecord]
    validation_loss: float | None = None
    options: dict[str, Any] | None = None  # that decide the numbers; None: of an older version

    @property
    def total_bytes(self) -> int:
        """Size of all files."""
        return sum(record.bytes for record in self.files.values())

    def encode(self) -> bytes:
        """Return the manifest as indented JSON."""
        return orjson.dumps(self, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def hash_files(folder: Path) -> dict[str, FileRecord]:
    """Return size and hash of every file below `folder` but the manifest itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): _record(path)
        for path in files
        if path.name != MANIFEST_NAME
    }


def _record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileRecord(path.stat().st_size, digest)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a checkpoint.

    Raises:
        DamagedCheckpoint: It is missing or cannot be understood.

    """
    try:
        fields: dict[str, Any] = orjson.loads(read_small(folder / MANIFEST_NAME))
        fields.pop("fingerprint", None)  # of older versions
        files = {name: FileRecord(**record) for name, record in fields.pop("files").items()}
        return Manifest(**fields, files=files)
    except FileNotFoundError as error:
        raise DamagedCheckpoint("manifest.json is missing") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedCheckpoint(f"manifest.json cannot be read: {error}") from error


def verify_checkpoint(folder: Path) -> Manifest:
    """Return the manifest after every file was found to be what it says.

    Raises:
        DamagedCheckpoint: A file is missing, unexpected, or of another size or hash.

    """
    manifest = read_manifest(folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if found != {*manifest.files, MANIFEST_NAME}:
        missing = sorted(set(manifest.files) - found)
        unexpected = sorted(found - set(manifest.files) - {MANIFEST_NAME})
        raise DamagedCheckpoint(f"files missing: {missing}, unexpected: {unexpected}")
    for name, expected in manifest.files.items():
        _verify_file(folder / name, name, expected)
    return manifest


def _verify_file(path: Path, name: str, expected: FileRecord) -> None:
    size = path.stat().st_size
    if size != expected.bytes:
        raise DamagedCheckpoint(f"{name} has {size} bytes, not {expected.bytes}")
    if _record(path).sha256 != expected.sha256:
        raise DamagedCheckpoint(f"{name} has another content than when it was written")
