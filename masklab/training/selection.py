"""Which weights survive, and how the scores learn of it."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from masklab.training import guess as guesses

Rank = Literal["abs", "signed"]


def rank_key(scores: Float[Tensor, "*any"], rank: Rank) -> Float[Tensor, "*any"]:
    """What weights are ranked by: |score|, or the score itself (the IteRand code's rule)."""
    return scores.abs() if rank == "abs" else scores


def top_mask(
    key: Float[Tensor, "members size"], kept: int, guess: guesses.Guess | None = None
) -> Bool[Tensor, "members size"]:
    """Exactly `kept` largest keys of each member; on ties the lower index wins.

    Args:
        key: Ranking key, finite.
        kept: Number of weights to keep, 1 … size.
        guess: Where the threshold lay last time, on a CPU; it saves time and changes nothing else.

    Examples:
        >>> top_mask(torch.tensor([[1.0, 3.0, 3.0, 3.0]]), 2).tolist()
        [[False, True, True, False]]
    """
    if kept >= key.shape[1]:
        return torch.ones_like(key, dtype=torch.bool)
    if guess is None:
        return _top_mask(key, kept)
    found = [_guessed(key[member : member + 1], kept, guess, member) for member in range(len(key))]
    return found[0] if len(found) == 1 else torch.cat(found)


def _guessed(
    key: Float[Tensor, "1 size"], kept: int, guess: guesses.Guess, member: int
) -> Bool[Tensor, "1 size"]:
    found = guess.mask(member, key[0].numpy(), kept)
    if found is not None:
        return torch.from_numpy(found)[None]
    mask = _top_mask(key, kept)
    guess.learn(member, float(key[0][mask[0]].min()) if bool(mask.any()) else math.nan)
    return mask


def _top_mask(key: Float[Tensor, "members size"], kept: int) -> Bool[Tensor, "members size"]:
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
    product = gradient.to(weight.dtype, copy=True).mul_(weight)
    return product.mul_(scores.sign()) if rank == "abs" else product
