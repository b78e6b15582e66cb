"""t-SNE of √Hamming: near masks are to stay near; distances between groups mean nothing.

Source: Van der Maaten and Hinton, Visualizing data using t-SNE (JMLR 9, 2008); Kobak and Berens, The art of
using t-SNE for single-cell transcriptomics (Nature Communications 10, 2019) for start and learning rate; as
implemented by scikit-learn.
"""

import numpy as np

from masklab.analysis.embeddings import pcoa, plane

TWINS = ((500, 19), (3000, 1))
"""Members up to which so many sets of matched random masks are embedded too; above the last nothing is."""

RUNS = "random starts"
"""How runs with other seeds differ: the one that is shown starts from principal coordinates."""

PERPLEXITY = 30.0
"""Effective number of neighbours, for studies of at least 91 members; below, a third of the others."""

_START = 1e-4  # deviation of the first axis of the start, as published


def fit(hamming: plane.Square, seed: int, run: int = 0) -> plane.Plane:
    """t-SNE from principal coordinates, or from a random start.

    Args:
        hamming: Hamming distances, as fractions.
        seed: Seed of random starts.
        run: 0: from principal coordinates, where the masks span a plane; else from a random start of its own.
    """
    import sklearn
    from sklearn import manifold

    members = len(hamming)
    first = None if run else pcoa.start(hamming)
    begin = plane.random_start(members, seed, run) if first is None else first
    settings = {
        "perplexity": min(PERPLEXITY, (members - 1) / 3),
        "early_exaggeration": 12.0,
        "learning_rate": "auto",
        "max_iter": 500 if members <= 500 else 1000,
        "method": "barnes_hut",
        "angle": 0.5,
    }
    library = manifold.TSNE(
        n_components=2,
        metric="precomputed",
        metric_params=None,
        init=begin / begin[:, 0].std() * _START,
        n_iter_without_progress=300,
        min_grad_norm=1e-7,
        random_state=0,
        n_jobs=1,
        verbose=0,
        **settings,
    )
    points = np.asarray(library.fit_transform(np.sqrt(hamming)), dtype=float)
    parameters = settings | {
        "init": "random" if first is None else "pcoa",
        "divergence": float(library.kl_divergence_),
        "scikit_learn": sklearn.__version__,
    }
    return plane.Plane(points, ["t-SNE 1", "t-SNE 2"], parameters)
