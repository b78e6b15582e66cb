"""What members predict: how differently, what ensembles of them gain, and how that goes with their masks.

`rows` gives what `results.json` holds of it:

```
function   {"a", "b", "block", "seed", "metric", "estimate": E, "chance", "pairs", "images", "limits"
           (name → level, only for normalised_disagreement; its chance level is that of independent errors)}
ensembles  {"population", "rule", "size", "estimate": E, "gain": E, "mean_member", "best_member",
           "independent" (accuracy if errors were independent), "members", "subsets", "images", "note"}
tests      rows of `mantel`
scatter    {"id_a", "id_b", "block", "hamming", "chance_corrected", "disagreement"}
scope      {"members", "images", "left_out": {population: members without predictions}, "labels" (null, or why
           true classes are not known), "scatter": {"shown", "of"} (pairs)}
```
"""

from typing import Any

import numpy as np

from masklab import archive as archives
from masklab.analysis.design import Design
from masklab.analysis.distances import Distances
from masklab.analysis.function import agreement, by_size, labels, mantel, pairs, predictions

Row = dict[str, Any]


def rows(archive: archives.Archive, design: Design, distances: Distances, seed: int) -> dict[str, Any]:
    """Functional diversity of the members whose predictions are known.

    Args:
        archive: Where they are stored.
        design: The compared members, in the order of `distances`.
        distances: Intersection counts of their masks.
        seed: Seed of all that is sampled.

    Returns:
        The lists `function`, `ensembles`, `tests` and `scatter`, and the dict `scope`.

    Raises:
        ArchiveError: A member is damaged.
        MasklabError: The process that loads the data set was killed.
    """
    found = predictions.read(archive, design)
    if not len(found.design):
        scope = {"members": 0, "images": 0, "left_out": found.left_out, "labels": "no predictions are known"}
        return {
            "function": [],
            "ensembles": [],
            "tests": [],
            "scatter": [],
            "scope": scope | {"scatter": None},
        }
    truth, why = labels.of(archive)
    if truth is not None:
        why = labels.contradiction(found, truth)
        truth = None if why else truth
    right = None if truth is None else found.classes == truth
    disagreement = 1 - agreement.agreements(found.classes, found.labels) / found.images
    hamming = distances.hamming()[np.ix_(found.places, found.places)]
    scatter, count = pairs.scatter(found, distances, disagreement, seed)
    return {
        "function": pairs.rows(found, right, why, seed),
        "ensembles": by_size.rows(found, truth, why, seed),
        "tests": mantel.rows(hamming, disagreement, found.design, seed),
        "scatter": scatter,
        "scope": {
            "members": len(found.design),
            "images": found.images,
            "left_out": found.left_out,
            "labels": why or None,
            "scatter": {"shown": len(scatter), "of": count},
        },
    }
