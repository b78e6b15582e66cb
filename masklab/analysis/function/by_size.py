"""Accuracy of ensembles of a population's members, by their size.

Diversity alone predicts the accuracy of an ensemble poorly (Kuncheva & Whitaker, Measures of diversity in
classifier ensembles and their relationship with the ensemble accuracy, Machine Learning 51, 2003): it is
measured here, not concluded from disagreement.

Source: Efron & Stein, The jackknife estimate of variance (Annals of Statistics 9, 1981): of a symmetric
function of independent members the variance that leaving out one gives is too large on average.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt16

from masklab import seeds
from masklab.analysis import estimates, jackknife
from masklab.analysis.function import ensemble
from masklab.analysis.function.predictions import Predictions

MEMBERS = 256
"""Most members of a population that are put together; beyond it a sample of them is."""

METHOD = (
    "mean over ensembles; leave-one-member-out jackknife, t with n − 1 degrees of freedom, conservative; for "
    "these weight draws and test images"
)

NOTE = "diversity alone predicts the accuracy of an ensemble poorly (Kuncheva & Whitaker 2003)"

_OPERATIONS = 10_000_000_000
_HELD = 2**26
_LEAST_LEFT_OUT = 10
_LEAST_MEMBERS = 3
_REFERENCE_SUBSETS = 50

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Sizes:
    """Accuracies of ensembles, per size.

    Attributes:
        sizes: Members of an ensemble: 1, 2, 4, … and all.
        accuracy: Rule → estimate per size.
        gain: Rule → estimate per size of the accuracy beyond that of the mean member.
        subsets: Number of ensembles per size.
    """

    sizes: list[int]
    accuracy: dict[str, list[Row]]
    gain: dict[str, list[Row]]
    subsets: list[int]


def sizes_of(members: int) -> list[int]:
    """Sizes of the ensembles of so many members.

    Examples:
        >>> sizes_of(12), sizes_of(8), sizes_of(1)
        ([1, 2, 4, 8, 12], [1, 2, 4, 8], [1])
    """
    doubling = [2**power for power in range(members.bit_length()) if 2**power < members]
    return [*doubling, members] if members else []


def image_limit(members: int, labels: int) -> int:
    """Most images whose predictions are held and put together."""
    each = max(1, members * labels)
    return max(1, min(_HELD // each, _OPERATIONS // (each * ensemble.SUBSETS)))


def measure(
    probabilities: Float32[np.ndarray, "members images labels"],
    classes: UInt16[np.ndarray, "members images"],
    truth: Int64[np.ndarray, " images"],
    seed: int,
) -> Sizes:
    """Accuracy and gain of the ensembles of some members, for every size.

    Args:
        probabilities: Predicted probabilities.
        classes: Predicted classes.
        truth: True classes.
        seed: Seed of the ensembles that are drawn.
    """
    members = len(classes)
    each = (classes == truth).mean(axis=1)
    found = Sizes(
        sizes_of(members), {rule: [] for rule in ensemble.RULES}, {rule: [] for rule in ensemble.RULES}, []
    )
    for size in found.sizes:
        stream = seeds.stream(seed, "split", layer="analysis/function/ensemble", event=size)
        whole = size == members
        chosen = (
            np.vstack([np.ones(members, bool), ~np.eye(members, dtype=bool)])
            if whole
            else (ensemble.subsets_of(members, size, stream, ensemble.SUBSETS))
        )
        found.subsets.append(1 if whole else len(chosen))
        for rule, values in ensemble.accuracies(chosen, probabilities, classes, truth).items():
            mean, without, why = (values[0], values[1:], "") if whole else _left_out(values, chosen)
            accuracy, gain = _estimates(mean, without, each, why, smaller=whole)
            found.accuracy[rule].append(accuracy)
            found.gain[rule].append(gain)
    return found


def rows(found: Predictions, truth: Int64[np.ndarray, " images"] | None, why: str, seed: int) -> list[Row]:
    """One row per population, rule and size.

    Args:
        found: What members predict.
        truth: True classes; None where they are not known.
        why: Why they are not known.
        seed: Seed of members, images and ensembles that are drawn.
    """
    return [row for name in found.design.names for row in _rows(found, name, truth, why, seed)]


def _rows(
    found: Predictions, name: str, truth: Int64[np.ndarray, " images"] | None, why: str, seed: int
) -> Iterator[Row]:
    random = seeds.stream(seed, "split", layer="analysis/function/ensemble")
    members = np.sort(random.permutation(found.design.members(name))[:MEMBERS])
    images = np.sort(random.permutation(found.images)[: image_limit(len(members), found.labels)])
    classes = found.classes[np.ix_(members, images)]
    apart, each = None, np.zeros(0)
    if truth is None:
        sizes = undefined(len(members), why)
    else:
        own, probabilities = truth[images], found.probabilities(members, images)
        each = (classes == own).mean(axis=1)
        sizes = measure(probabilities, classes, own, seed)
        place = ensemble.independent(classes, own, seed)
        moved = np.take_along_axis(probabilities, place[:, :, None], axis=1)
        apart = _means(moved, np.take_along_axis(classes, place, axis=1), own, seed)
    for rule in ensemble.RULES:
        for at, size in enumerate(sizes.sizes):
            yield {
                "population": name,
                "rule": rule,
                "size": size,
                "estimate": sizes.accuracy[rule][at],
                "gain": sizes.gain[rule][at],
                "mean_member": float(each.mean()) if len(each) else None,
                "best_member": float(each.max()) if len(each) else None,
                "independent": apart[rule][at] if apart else None,
                "members": len(members),
                "subsets": sizes.subsets[at],
                "images": len(images),
                "note": NOTE,
                **({"why": why} if truth is None else {}),
            }


def _means(
    probabilities: Float32[np.ndarray, "members images labels"],
    classes: UInt16[np.ndarray, "members images"],
    truth: Int64[np.ndarray, " images"],
    seed: int,
) -> dict[str, list[float]]:
    """Rule → accuracy per size, over fewer ensembles and without intervals."""
    found: dict[str, list[float]] = {rule: [] for rule in ensemble.RULES}
    for size in sizes_of(len(classes)):
        stream = seeds.stream(seed, "split", layer="analysis/function/independent", event=size)
        chosen = ensemble.subsets_of(len(classes), size, stream, _REFERENCE_SUBSETS)
        for rule, values in ensemble.accuracies(chosen, probabilities, classes, truth).items():
            found[rule].append(float(values.mean()))
    return found


def undefined(members: int, why: str) -> Sizes:
    """Ensembles whose accuracy is not known.

    Args:
        members: How many members there are.
        why: The reason.
    """
    sizes = sizes_of(members)
    nothing = estimates.estimate(math.nan, math.nan, math.nan, method=METHOD, n=members, why=why)
    null = {rule: [nothing] * len(sizes) for rule in ensemble.RULES}
    return Sizes(sizes, null, null, [0] * len(sizes))


def _left_out(
    values: ensemble.PerSubset, chosen: ensemble.Subsets
) -> tuple[float, Float64[np.ndarray, " members"], str]:
    """Mean over the ensembles, over those without each member, and why the latter are too few."""
    size, members = int(chosen[0].sum()), chosen.shape[1]
    count = (~chosen).sum(axis=0)
    if count.min() < min(_LEAST_LEFT_OUT, math.comb(members - 1, size)):
        why = f"a member is left out of fewer than {_LEAST_LEFT_OUT} of the ensembles that were drawn"
        return values.mean(), np.full(members, np.nan), why
    return values.mean(), (values @ ~chosen) / count, ""


def _estimates(
    mean: float,
    without: Float64[np.ndarray, " members"],
    each: Float64[np.ndarray, " members"],
    why: str,
    *,
    smaller: bool,
) -> tuple[Row, Row]:
    """Accuracy, and what it is beyond the mean member.

    Where the ensembles without a member are `smaller` than those with it, no factor shrinks the sum of
    squares: the bound of Efron and Stein is on the sum itself.
    """
    members = len(each)
    if members < _LEAST_MEMBERS:
        why = f"an interval needs at least {_LEAST_MEMBERS} members; there are {members}"
        without = np.full(members, np.nan)
    base = (each.sum() - each) / max(1, members - 1)
    factor = 1.0 if smaller else None
    made = []
    for value, replicates, limits in (
        (mean, without, estimates.SHARE),
        (mean - each.mean(), without - base, estimates.ANY),
    ):
        half = _half_width(replicates, factor)
        ends = {"low": value - half, "high": value + half, "limits": limits}
        made.append(estimates.estimate(value, **ends, method=METHOD, n=members, why=why))
    return made[0], made[1]


def _half_width(without: Float64[np.ndarray, " members"], factor: float | None) -> float:
    if np.isnan(without).any():
        return math.nan
    # what is equal but for rounding has no spread
    return float(jackknife.half_width(np.round(without, 12), factor=factor))
