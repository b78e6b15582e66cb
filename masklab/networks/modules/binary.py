"""Binary activations, for networks of binary weights and binary activations (MPT-1/1)."""

from jaxtyping import Float
from torch import Tensor, nn


class Binary(nn.Module):
    """+1 where the input is at least 0, else −1.

    The gradient is that of a piecewise quadratic: 2 + 2x on [−1, 0), 2 − 2x on [0, 1), 0 elsewhere.

    Source: Liu et al., Bi-Real Net, ECCV 2018; used by Diffenderfer & Kailkhura, Multi-Prize Lottery
    Tickets, ICLR 2021.
    """

    def forward(self, inputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Signs of the inputs, in their own precision."""
        clamped = inputs.clamp(-1, 1)
        surrogate = clamped * (2 - clamped.abs())
        signs = (inputs >= 0).to(inputs.dtype) * 2 - 1
        # The difference is exactly 0 and carries the gradient, so the sum is exactly ±1 in any precision.
        return signs + (surrogate - surrogate.detach())
