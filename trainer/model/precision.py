"""Which precision products are in."""

import torch
from torch import Tensor


def product_dtype(factor: Tensor) -> torch.dtype:
    """Return the dtype that autocast multiplies in here; where it is off, the factor's own."""
    kind = factor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else factor.dtype
