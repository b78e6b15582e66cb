"""Principal coordinates (classical multidimensional scaling) of √Hamming, through the Gram matrix.

√Hamming is a Euclidean distance of 0/1 vectors, so no eigenvalue is negative, and the coordinates are the
principal components of the masks.

Source: Gower, Some distance properties of latent root and vector methods used in multivariate analysis
(Biometrika 53, 1966).
"""

import numpy as np
from jaxtyping import Float64

from masklab.analysis.embeddings import plane

TWINS = ((1500, 19), (5000, 1))
"""Members up to which so many sets of matched random masks are embedded too; above the last nothing is."""

RUNS = None
"""How runs with other seeds differ: not at all, nothing is random."""

_RELATIVE_ZERO = 1e-12  # share of the inertia below which an eigenvalue is rounding


def fit(hamming: plane.Square, seed: int = 0, run: int = 0) -> plane.Plane:
    """First two principal coordinates; on each axis the largest coordinate in size is positive.

    `explained` are the shares of the total inertia (the trace of the doubly centred Gram matrix), or None
    where all masks are equal.

    Args:
        hamming: Hamming distances, as fractions.
        seed: Not used: nothing is random.
        run: Not used.
    """
    points, eigenvalues = coordinates(hamming)
    inertia = _inertia(hamming)
    explained = [float(value) / inertia for value in eigenvalues] if inertia else None
    shares = [f" ({share:.1%} of the inertia)" for share in explained] if explained else ["", ""]
    axes = [f"principal coordinate {axis + 1}{shares[axis]}" for axis in range(2)]
    return plane.Plane(points, axes, {"n_components": 2}, explained)


def coordinates(hamming: plane.Square) -> tuple[plane.Points, Float64[np.ndarray, "2"]]:
    """First two coordinates and their eigenvalues, both exactly 0 on an axis along which nothing varies.

    Args:
        hamming: Hamming distances of at least 2 members, as fractions.
    """
    from scipy import linalg

    centred = hamming - hamming.mean(axis=0) - hamming.mean(axis=1)[:, None] + hamming.mean()
    last = len(hamming) - 1
    values, vectors = linalg.eigh(-centred / 2, subset_by_index=[last - 1, last])
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > _RELATIVE_ZERO * _inertia(hamming)
    values = np.where(real, values, 0.0)
    return fixed_signs(vectors * np.sqrt(values)), values


def start(hamming: plane.Square) -> plane.Points | None:
    """Coordinates for other methods to start from; None where the masks span no plane.

    Args:
        hamming: Hamming distances, as fractions.
    """
    points, eigenvalues = coordinates(hamming)
    return points if (eigenvalues > 0).all() else None


def _inertia(hamming: plane.Square) -> float:
    """Trace of the doubly centred Gram matrix of √Hamming: the sum of squared distances ÷ 2n."""
    return float(hamming.sum()) / (2 * len(hamming))


def fixed_signs(points: plane.Points) -> plane.Points:
    """Turn each axis so that its largest coordinate is positive, the first one where several are as large."""
    size = np.abs(points)
    first = np.argmax(size >= size.max(axis=0) * (1 - 1e-9), axis=0)
    return points * np.where(points[first, range(points.shape[1])] < 0, -1.0, 1.0)
