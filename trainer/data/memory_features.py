"""Keep image features in memory, up to a limit."""

from torch import Tensor


class MemoryFeatures:
    """Features by key. Nothing is ever given up: whoever was told of an image can rely on it."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.nbytes = 0
        self._features: dict[bytes, Tensor] = {}

    def __len__(self) -> int:
        return len(self._features)

    def __contains__(self, key: bytes) -> bool:
        return key in self._features

    def put(self, key: bytes, features: Tensor) -> bool:
        """Keep an image's features; False where there is no room for them."""
        if self.nbytes + features.nbytes > self.limit_bytes:
            return False
        self._features[key] = features.cpu()
        self.nbytes += features.nbytes
        return True

    def fetch(self, key: bytes) -> Tensor | None:
        """Return what is kept of an image, None without it."""
        return self._features.get(key)
