"""Which weights survive, and how the scores learn of it."""

from collections.abc import Sequence
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
    if key.is_cuda or _counts_differ(mask, kept):  # no look at the result on a GPU: it would wait
        above = key > threshold
        tied = mask & ~above
        wanted = kept - above.sum(1, keepdim=True)
        mask = above | (tied & (tied.cumsum(1) <= wanted))
    return mask


def _counts_differ(mask: Bool[Tensor, "members size"], kept: int) -> bool:
    # NumPy counts whole rows of booleans several times faster than a torch sum
    return any(np.count_nonzero(row) != kept for row in mask.numpy())


def global_masks(keys: Sequence[Float[Tensor, "members _"]], kept: int) -> list[Bool[Tensor, "members _"]]:
    """One ranking over all layers: exactly `kept` weights in all; on ties the earlier layer and index win.

    Examples:
        >>> first, second = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 0.5, 3.0]])
        >>> [mask.tolist() for mask in global_masks([first, second], 3)]
        [[[False, True]], [[True, False, True]]]
    """
    whole = top_mask(torch.cat(list(keys), dim=1), kept)
    return list(whole.split([key.shape[1] for key in keys], dim=1))


def _kth_largest(key: Float[Tensor, "members size"], kept: int) -> Float[Tensor, "members 1"]:
    size = key.shape[1]
    if key.is_cuda:
        return key.kthvalue(size - kept + 1, dim=1, keepdim=True).values
    # NumPy's vectorised partition is several times faster than torch's kthvalue on a CPU
    part = np.partition(key.detach().numpy(), size - kept, axis=1)
    return torch.from_numpy(np.ascontiguousarray(part[:, size - kept : size - kept + 1]))


def score_gradient(
    gradient: Float[Tensor, "*shape"],
    weight: Float[Tensor, "*shape"],
    scores: Float[Tensor, "*shape"],
    rank: Rank,
) -> Float[Tensor, "*shape"]:
    """Straight-through gradient ∂L/∂w_eff · w, times sign(score) where weights are ranked by |score|.

    Args:
        gradient: ∂L/∂w_eff, of any precision.
        weight: Base weights, float32.
        scores: Scores, float32.
        rank: What weights are ranked by.

    Returns:
        A new float32 tensor.

    Source: Ramanujan et al. (CVPR 2020), equation 5; Diffenderfer & Kailkhura (ICLR 2021) arrive at the
    same expression, ∂L/∂w_eff · sign(w) · |w|.
    """
    product = gradient * weight
    return product.mul_(scores.sign()) if rank == "abs" else product
