"""Random numbers that depend on nothing but a key, the same everywhere and in every version."""

from dataclasses import dataclass

import numpy as np

PURPOSE = int.from_bytes(b"augment", "big")  # keeps these numbers apart from those of the order


@dataclass(frozen=True)
class Key:
    """What the randomness of one picture depends on."""

    seed: int
    epoch: int
    record: int  # its number in the data set, from 0
    picture: int = 0  # its place in the record, from 0


class Draws:
    """The random numbers of one operation on one picture; each operation has its own.

    Made of PCG64's raw bits: numpy keeps those the same in all versions, but not what its
    distributions make of them.
    """

    def __init__(self, key: Key, operation: int) -> None:
        """`operation` is its place in the list, from 1; 0 decides whether anything is done."""
        entropy = [PURPOSE, key.seed, key.epoch, key.record, key.picture, operation]
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy))

    def share(self) -> float:
        """Return a number from 0 up to but not including 1."""
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def happens(self, prob: float) -> bool:
        """Return whether something of this probability happens."""
        return self.share() < prob

    def between(self, bounds: tuple[float, float]) -> float:
        """Return a number between two."""
        low, high = bounds
        return low + (high - low) * self.share()

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int((high - low + 1) * self.share())

    def octets(self, count: int) -> np.ndarray:
        """Return random bytes, uint8 (count,)."""
        words = self._bits.random_raw(-(-count // 8))
        return np.asarray(words, dtype="<u8").view(np.uint8)[:count]
