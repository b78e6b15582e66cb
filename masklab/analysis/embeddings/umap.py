"""UMAP of √Hamming; importing it and its first fit take about a quarter of a minute.

Source: McInnes, Healy and Melville, UMAP: uniform manifold approximation and projection (2018); Kobak and
Linderman (Nature Biotechnology 39, 2021) for the start.
"""

import warnings
from typing import Any

import numpy as np

from masklab import seeds
from masklab.analysis.embeddings import pcoa, plane

TWINS = ((500, 19), (5000, 1))
"""Members up to which so many sets of matched random masks are embedded too; above the last nothing is."""

RUNS = "other seeds, equal starts"
"""How runs with other seeds differ: in the pairs that its optimisation draws."""

NEIGHBORS = 15


def fit(hamming: plane.Square, seed: int, run: int = 0) -> plane.Plane:
    """UMAP started from principal coordinates and single-threaded: equal seeds, equal points.

    Its own spectral start is not reproducible on nearly equidistant points (ARPACK draws random vectors), and
    principal coordinates keep the large-scale arrangement. Where they span no plane the start is random.

    Args:
        hamming: Hamming distances, as fractions.
        seed: Seed of its optimisation, taken modulo 2³² in run 0.
        run: Number of the run; each draws otherwise.
    """
    first = pcoa.start(hamming)
    own = seeds.stream(seed, "split", run, "analysis/umap").randint(2**31) if run else seed % 2**32
    parameters: dict[str, Any] = {
        "n_neighbors": min(NEIGHBORS, len(hamming) - 1),
        "min_dist": 0.1,
        "random_state": own,  # at most 32 bits
    }
    init = "random" if first is None else first
    settings = parameters | {"metric": "precomputed", "n_jobs": 1, "init": init}
    with warnings.catch_warnings():
        # without TensorFlow only its parametric variant is missing
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        # nothing is transformed back
        warnings.filterwarnings("ignore", "using precomputed metric; inverse_transform", UserWarning)
        import umap as library

        points = np.asarray(library.UMAP(**settings).fit_transform(np.sqrt(hamming)), dtype=float)
    parameters |= {"init": "random" if first is None else "pcoa", "umap_learn": library.__version__}
    return plane.Plane(points, ["UMAP 1", "UMAP 2"], parameters)
