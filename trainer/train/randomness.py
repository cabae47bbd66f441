"""Randomness that is keyed by where training stands, never carried along."""

import hashlib

import torch


def seed_micro_batch(seed: int, step: int, micro_batch: int) -> None:
    """Seed dropout for one micro-batch of one optimizer step, on every device."""
    torch.manual_seed(keyed_seed(seed, step, micro_batch))


def keyed_seed(*keys: int) -> int:
    """Return 63 bits that depend on every key and on their order."""
    text = ",".join(map(str, keys)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1
