"""Masks as points in the plane: √Hamming distances, which are Euclidean distances of 0/1 vectors.

Both functions are at module level and take plain lists and arrays, so that they can run in another process:
importing UMAP and its first fit take about a quarter of a minute.
"""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float64

Row = dict[str, Any]

DISTANCE = "sqrt-hamming"

LEAST_MEMBERS = 4
"""Members below which there is no embedding: three points always lie in a plane."""

_RELATIVE_ZERO = 1e-12  # share of the inertia below which an eigenvalue is rounding

_UMAP_NEIGHBORS = 15


def pcoa(ids: list[str], hamming: Float64[np.ndarray, "members members"]) -> Row | None:
    """Principal coordinates (classical multidimensional scaling) of √Hamming.

    `explained` are the shares of the total inertia (the trace of the doubly centred Gram matrix), or None
    where all masks are equal. On each axis the largest coordinate in size is positive.

    Args:
        ids: Member ids.
        hamming: Hamming distances, as fractions.

    Returns:
        A row of `embeddings`, or None for fewer than `LEAST_MEMBERS` members.

    Source: Gower, Some distance properties of latent root and vector methods used in multivariate analysis
    (Biometrika 53, 1966).
    """
    if len(ids) < LEAST_MEMBERS:
        return None
    points, eigenvalues = _principal_coordinates(hamming)
    inertia = _inertia(hamming)
    explained = [float(value) / inertia for value in eigenvalues] if inertia else None
    shares = [f" ({share:.1%} of the inertia)" for share in explained] if explained else ["", ""]
    axes = [f"principal coordinate {axis + 1}{shares[axis]}" for axis in range(2)]
    return _row("pcoa", ids, points, axes=axes, explained=explained, parameters={"n_components": 2})


def umap(ids: list[str], hamming: Float64[np.ndarray, "members members"], seed: int) -> Row | None:
    """UMAP of √Hamming, started from principal coordinates and single-threaded: equal seeds, equal points.

    Its own spectral start is not reproducible on nearly equidistant points (ARPACK draws random vectors), and
    principal coordinates keep the large-scale arrangement. Where they span no plane the start is random.

    Args:
        ids: Member ids.
        hamming: Hamming distances, as fractions.
        seed: Seed of its optimisation, taken modulo 2³².

    Returns:
        A row of `embeddings`, or None for fewer than `LEAST_MEMBERS` members.

    Source: McInnes, Healy and Melville, UMAP: uniform manifold approximation and projection (2018); Kobak and
    Linderman (Nature Biotechnology 39, 2021) for the start.
    """
    if len(ids) < LEAST_MEMBERS:
        return None
    start, eigenvalues = _principal_coordinates(hamming)
    planar = bool((eigenvalues > 0).all())
    parameters: dict[str, Any] = {
        "n_neighbors": min(_UMAP_NEIGHBORS, len(ids) - 1),
        "min_dist": 0.1,
        "random_state": seed % 2**32,  # what UMAP accepts
    }
    settings = parameters | {"metric": "precomputed", "n_jobs": 1, "init": start if planar else "random"}
    with warnings.catch_warnings():
        # without TensorFlow only its parametric variant is missing
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        # nothing is transformed back
        warnings.filterwarnings("ignore", "using precomputed metric; inverse_transform", UserWarning)
        import umap as library

        points = np.asarray(library.UMAP(**settings).fit_transform(np.sqrt(hamming)), dtype=float)
    parameters |= {"init": "pcoa" if planar else "random", "umap_learn": library.__version__}
    return _row("umap", ids, points, axes=["UMAP 1", "UMAP 2"], explained=None, parameters=parameters)


def _principal_coordinates(
    hamming: Float64[np.ndarray, "members members"],
) -> tuple[Float64[np.ndarray, "members 2"], Float64[np.ndarray, "2"]]:
    """First two coordinates and their eigenvalues, both exactly 0 on an axis along which nothing varies."""
    from sklearn import manifold

    scaling = manifold.ClassicalMDS(n_components=2, metric="precomputed")
    with np.errstate(invalid="ignore"):  # a zero eigenvalue may be rounded to below zero
        points = scaling.fit_transform(np.sqrt(hamming))
    real = scaling.eigenvalues_ > _RELATIVE_ZERO * _inertia(hamming)
    return _fixed_signs(np.where(real, points, 0.0)), np.where(real, scaling.eigenvalues_, 0.0)


def _inertia(hamming: Float64[np.ndarray, "members members"]) -> float:
    """Trace of the doubly centred Gram matrix of √Hamming: the sum of squared distances ÷ 2n."""
    return float(hamming.sum()) / (2 * len(hamming))


def _fixed_signs(points: Float64[np.ndarray, "members 2"]) -> Float64[np.ndarray, "members 2"]:
    """Turn each axis so that its largest coordinate is positive, the first one where several are as large."""
    size = np.abs(points)
    first = np.argmax(size >= size.max(axis=0) * (1 - 1e-9), axis=0)
    return points * np.where(points[first, range(points.shape[1])] < 0, -1.0, 1.0)


def _row(
    method: str,
    ids: list[str],
    points: Float64[np.ndarray, "members 2"],
    *,
    axes: list[str],
    explained: list[float] | None,
    parameters: dict[str, Any],
) -> Row:
    return {
        "method": method,
        "distance": DISTANCE,
        "points": [
            {"id": member, "x": float(x), "y": float(y)} for member, (x, y) in zip(ids, points, strict=True)
        ],
        "axes": axes,
        "explained": explained,
        "parameters": parameters,
    }
