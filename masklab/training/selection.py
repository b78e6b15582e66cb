"""Which weights survive, and how the scores learn of it."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Rank = Literal["abs", "signed"]


def rank_key(scores: Float[Tensor, "*any"], rank: Rank) -> Float[Tensor, "*any"]:
    """What weights are ranked by: |score|, or the score itself (the IteRand code's rule)."""
    return scores.abs() if rank == "abs" else scores


def top_mask(key: Float[Tensor, "members size"], kept: int) -> Bool[Tensor, "members size"]:
    """Exactly `kept` largest keys of each member; on ties the lower index wins.

    Args:
        key: Ranking key, finite.
        kept: Number of weights to keep, 1 … size.

    Examples:
        >>> top_mask(torch.tensor([[1.0, 3.0, 3.0, 3.0]]), 2).tolist()
        [[False, True, True, False]]
    """
    size = key.shape[1]
    if kept >= size:
        return torch.ones_like(key, dtype=torch.bool)
    threshold = _kth_largest(key, kept)
    mask = key >= threshold
    if key.is_cuda or bool((mask.sum(1) != kept).any()):  # no look at the result on a GPU: it would wait
        above = key > threshold
        tied = mask & ~above
        wanted = kept - above.sum(1, keepdim=True)
        mask = above | (tied & (tied.cumsum(1) <= wanted))
    return mask


def _kth_largest(key: Float[Tensor, "members size"], kept: int) -> Float[Tensor, "members 1"]:
    size = key.shape[1]
    if key.is_cuda:
        return key.kthvalue(size - kept + 1, dim=1, keepdim=True).values
    # NumPy's vectorised partition is about four times faster than torch's kthvalue on a CPU
    part = np.partition(key.detach().numpy(), size - kept, axis=1)
    return torch.from_numpy(np.ascontiguousarray(part[:, size - kept : size - kept + 1]))


def score_gradient(
    gradient: Float[Tensor, "members size"],
    weight: Float[Tensor, "members size"],
    scores: Float[Tensor, "members size"],
    rank: Rank,
) -> Float[Tensor, "members size"]:
    """Straight-through gradient ∂L/∂w_eff · w, times sign(score) where weights are ranked by |score|.

    Source: Ramanujan et al. (CVPR 2020), equation 5; Diffenderfer & Kailkhura (ICLR 2021) arrive at the
    same expression, ∂L/∂w_eff · sign(w) · |w|.
    """
    product = gradient * weight
    return product * scores.sign() if rank == "abs" else product
