"""Two-way analysis of variance, populations after draws of base weights, of one or more sets of members.

Source: Searle, Linear models (1971), least squares for unequal numbers in the cells.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

Cells = Float64[np.ndarray, "sets populations draws"]

_RELATIVE_ZERO = 1e-12
"""Share of a sum of squares below which what is left of it is rounding."""


@dataclass(frozen=True, eq=False)
class Variance:
    """Analysis of variance, populations after draws, of one or more sets of members.

    Attributes:
        effects: Least-squares effect of each population.
        explained: Sum of squares of the populations.
        total: Sum of squares within draws.
        between: Degrees of freedom of the populations, in the first set.
        within: Remaining degrees of freedom, in the first set.
    """

    effects: Float64[np.ndarray, "sets populations"]
    explained: Float64[np.ndarray, " sets"]
    total: Float64[np.ndarray, " sets"]
    between: int
    within: int

    @property
    def share(self) -> Float64[np.ndarray, " sets"]:
        """η², the share of the populations in the total; NaN where that is 0 or undefined."""
        return np.divide(
            self.explained, self.total, out=np.full(len(self.total), np.nan), where=self.total > 0
        )

    @property
    def ratio(self) -> float:
        """F of the first set; NaN where nothing varies within populations."""
        left = float(self.total[0] - self.explained[0])
        return float(self.explained[0]) / self.between / (left / self.within) if left > 0 else np.nan


def analysis(counts: Cells, sums: Cells, squares: Cells) -> Variance:
    """Two-way analysis of variance, populations after draws, from the sums of each cell.

    Args:
        counts: Members of each cell.
        sums: Sums of their values.
        squares: Sums of their squares.
    """
    members = counts.sum(axis=1)
    mean = np.divide(sums.sum(axis=1), members, out=np.zeros_like(members), where=members > 0)
    above = (sums - counts * mean[:, None]).sum(axis=2)
    effects = np.einsum("spq,sq->sp", np.linalg.pinv(gram(counts), rtol=1e-9, hermitian=True), above)
    whole = squares.sum(axis=(1, 2))
    total = whole - (members * mean**2).sum(axis=1)
    total = np.where(total <= _RELATIVE_ZERO * whole, 0.0, total)
    between = int(np.linalg.matrix_rank(gram(counts[:1]), hermitian=True)[0])
    within = int(counts[0].sum()) - int((members[0] > 0).sum()) - between
    return Variance(effects, np.minimum((effects * above).sum(axis=1), total), total, between, within)


def gram(counts: Cells) -> Float64[np.ndarray, "sets populations populations"]:
    """Products of the populations' indicators after the means of each draw are removed.

    Args:
        counts: Members of each cell.
    """
    members = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, members, out=np.zeros_like(counts), where=members > 0)
    return counts.sum(axis=2)[:, :, None] * np.eye(counts.shape[1]) - counts @ share.transpose(0, 2, 1)
