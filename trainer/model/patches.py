"""Embed patches by one product of matrices instead of a convolution."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class PatchProjection(nn.Conv3d):
    """A convolution whose kernel covers its whole input once: a linear layer in disguise.

    It has the weights, names and shapes of the convolution it takes the place of, which cuDNN runs
    tens to thousands of times slower in some versions and on some GPUs (pytorch issue 174051,
    transformers issue 45750). As a subclass it stays a layer that LoRA's targets do not mean.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Return (P, H, 1, 1, 1) of patches (P, C, t, h, w) as large as the kernel."""
        embedded = functional.linear(input.flatten(1), self.weight.flatten(1), self.bias)
        return embedded[:, :, None, None, None]

    @classmethod
    def of(cls, convolution: nn.Conv3d) -> "PatchProjection":
        """Return a projection that shares the weights of a convolution without overlap.

        Raises:
            ValueError: The convolution slides over its input, so it is no product.

        """
        plain = (convolution.groups, set(convolution.padding), set(convolution.dilation))
        if convolution.stride != convolution.kernel_size or plain != (1, {0}, {1}):
            raise ValueError(f"{convolution} is no product of matrices")
        with torch.device("meta"):
            projection = cls(
                convolution.in_channels,
                convolution.out_channels,
                convolution.kernel_size,  # pyright: ignore[reportArgumentType]
                stride=convolution.stride,  # pyright: ignore[reportArgumentType]
                bias=convolution.bias is not None,
            )
        projection.weight, projection.bias = convolution.weight, convolution.bias
        return projection.train(convolution.training)


def embed_patches_by_products(tower: Any) -> None:
    """Let a vision tower embed its patches by a product; its weights stay the same objects."""
    tower.patch_embed.proj = PatchProjection.of(tower.patch_embed.proj)
