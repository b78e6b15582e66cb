"""Metric multidimensional scaling of √Hamming: the distances in the plane are to be those of the masks.

Source: De Leeuw and Mair, Multidimensional scaling using majorization: SMACOF in R (Journal of Statistical
Software 31, 2009), as implemented by scikit-learn.
"""

import numpy as np

from masklab.analysis.embeddings import pcoa, plane

TWINS = ((500, 19), (3000, 1))
"""Members up to which so many sets of matched random masks are embedded too; above the last nothing is."""

RUNS = "random starts"
"""How runs with other seeds differ: the one that is shown starts from principal coordinates."""

AXES = ["MDS 1", "MDS 2"]

MOST_STEPS = 300


def fit(hamming: plane.Square, seed: int, run: int = 0) -> plane.Plane:
    """Metric MDS by stress majorisation, from principal coordinates or from a random start.

    Args:
        hamming: Hamming distances, as fractions.
        seed: Seed of random starts.
        run: 0: from principal coordinates, where the masks span a plane; else from a random start of its own.
    """
    import sklearn
    from sklearn import manifold

    first = None if run else pcoa.start(hamming)
    settings = {"n_init": 1, "max_iter": MOST_STEPS, "eps": 1e-6, "normalized_stress": False}
    scaling = manifold.MDS(
        n_components=2,
        metric_mds=True,
        metric="precomputed",
        metric_params=None,
        init="random",  # whatever is given to fit_transform comes first
        random_state=0,
        n_jobs=1,
        verbose=0,
        **settings,
    )
    begin = plane.random_start(len(hamming), seed, run) if first is None else first
    if not hamming.any():  # the relative change of a stress of 0 is undefined
        return plane.Plane(np.zeros((len(hamming), 2)), AXES, settings)
    points = np.asarray(scaling.fit_transform(np.sqrt(hamming), init=begin))
    parameters = settings | {
        "init": "random" if first is None else "pcoa",
        "steps": int(np.asarray(scaling.n_iter_)),
        "stress": float(np.asarray(scaling.stress_)),
        "scikit_learn": sklearn.__version__,
    }
    return plane.Plane(pcoa.fixed_signs(points), AXES, parameters)
