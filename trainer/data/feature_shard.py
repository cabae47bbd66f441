"""A file of image features: a safetensors file, read piece by piece and checked on every reading.

Nothing is mapped into memory: a file that is cut off while it is mapped kills the process.
"""

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from trainer.data.gallery import Grid
from trainer.run import durable

LONGEST_HEADER_BYTES = 64 * 2**20
DTYPES = {"BF16": torch.bfloat16, "F32": torch.float32}
NOTES = "images"  # the one metadata key: several are written in another order every time


class BrokenShard(ValueError):
    """A shard that cannot be trusted."""


@dataclass(frozen=True)
class StoredFeatures:
    """Where the features of an image lie, and what they must be."""

    path: Path
    offset: int  # of their first byte in the file
    size_bytes: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    crc32: int
    grid: Grid

    def read(self) -> Tensor:
        """Return them.

        Raises:
            BrokenShard: They are no longer there, or not as they were written.

        """
        content = bytearray(self.size_bytes)
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset)
                view, filled = memoryview(content), 0
                while filled < self.size_bytes and (count := file.readinto(view[filled:])):
                    filled += count
        except OSError as error:
            raise BrokenShard(f"{self.path}: {error.strerror}") from error
        if filled < self.size_bytes or zlib.crc32(content) != self.crc32:
            raise BrokenShard(f"{self.path}: not what was written into it")
        return torch.frombuffer(content, dtype=self.dtype).view(self.shape)


def write_shard(path: Path, images: Mapping[bytes, tuple[Grid, Tensor]]) -> None:
    """Write features (on the host), so that the file appears whole or not at all.

    Raises:
        OSError: It could not be written; nothing of it is left.

    """
    tensors = {key.hex(): features.contiguous() for key, (_, features) in images.items()}
    notes = {
        key.hex(): [*grid, zlib.crc32(_bytes(tensors[key.hex()]))]
        for key, (grid, _) in images.items()
    }
    temporary = path.with_name(f"tmp-{path.name}")
    try:
        save_file(tensors, temporary, metadata={NOTES: json.dumps(notes)})
        durable.sync_file(temporary)
        durable.rename(temporary, path)
    except SafetensorError as error:
        raise OSError(None, str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _bytes(tensor: Tensor) -> memoryview:
    return memoryview(tensor.view(torch.uint8).numpy())  # pyright: ignore[reportArgumentType]


def read_shard(path: Path) -> dict[bytes, StoredFeatures]:
    """Return where a shard's features lie, by the images' keys; only the header is read.

    Raises:
        BrokenShard: It is no shard, or was cut off.

    """
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(LONGEST_HEADER_BYTES, size_bytes - 8):
                raise BrokenShard(f"{path}: has no header")
            described = json.loads(file.read(length))
        notes = json.loads(described.pop("__metadata__")[NOTES])
        found = {
            bytes.fromhex(name): _stored(path, 8 + length, entry, notes[name])
            for name, entry in described.items()
        }
    except OSError as error:
        raise BrokenShard(f"{path}: {error.strerror}") from error
    except BrokenShard:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenShard(f"{path}: its header is not ours ({error})") from error
    if any(it.offset + it.size_bytes > size_bytes for it in found.values()):
        raise BrokenShard(f"{path}: is cut off")
    return found


def _stored(path: Path, start: int, entry: dict[str, object], note: list[int]) -> StoredFeatures:
    frames, rows, columns, crc32 = map(int, note)
    first, end = entry["data_offsets"]  # pyright: ignore[reportGeneralTypeIssues]
    shape = tuple(map(int, entry["shape"]))  # pyright: ignore[reportArgumentType]
    dtype = DTYPES[str(entry["dtype"])]
    size_bytes = int(end) - int(first)
    if size_bytes != dtype.itemsize * torch.Size(shape).numel() or min(first, *shape) < 0:
        raise BrokenShard(f"{path}: its header contradicts itself")
    grid = (frames, rows, columns)
    return StoredFeatures(path, start + int(first), size_bytes, shape, dtype, crc32, grid)
