"""Are the accuracies of two pruners different?

Members of equal seeds are compared with each other: what is tested is the mean of their differences, by
exchanging the two of a pair (the same as changing signs of differences). Where the seeds of one of the
populations are not known, the members are two independent samples, and Welch's t is what is relabeled.

Changing signs takes the differences for symmetric, relabeling takes both populations for equally spread, and
t takes what it sees for nearly normal; of 5 members that spread three times as far as 15 others, relabeling
rejects in 9 %. So an interval reaches as far as either t or Hall's t (see `masklab.analysis.skewness`), and p
is the largest of the three. Then exponential differences of pairs are covered in 93 to 96 % (independent
ones, where 5 members spread more than the others, in 91 %).

Source: Fisher, The design of experiments (1935), for the test; Welch, The generalization of Student's problem
(Biometrika 34, 1947), for the interval of independent samples.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from masklab.analysis import estimates, skewness, verdicts
from masklab.analysis.between import pairwise, permutations
from masklab.analysis.design import Design

EFFECT = "difference of mean accuracy, a − b"

Row = dict[str, Any]


def rows(design: Design, accuracies: Mapping[str, float | None], seed: int) -> list[Row]:
    """Every pair of populations.

    Args:
        design: Who is compared.
        accuracies: Member id → accuracy, a fraction; None, or no entry, where it is not known.
        seed: Seed of the drawn relabelings.
    """
    values = np.array([_known(accuracies.get(member)) for member in design.ids], dtype=np.float64)
    found = []
    for a, b, own in pairwise.pairs(design):
        known = own[np.isfinite(values[own])]
        chosen = known if design.unpaired & {a, b} else known[_has_partner(design, known)]
        found.append(_row(design.only(chosen), values[chosen], seed, a, b))
    return verdicts.adjusted(found)


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _has_partner(design: Design, places: np.ndarray) -> np.ndarray:
    _, number, count = np.unique(design.unit[places], return_inverse=True, return_counts=True)
    return count[number] == 2


def _row(design: Design, values: Float64[np.ndarray, " members"], seed: int, a: str, b: str) -> Row:
    """The comparison of two populations whose members all have an accuracy and, if paired, a partner."""
    paired = not design.unpaired
    exchanged = (
        "members of equal seeds exchanged, which takes their differences for symmetric"
        if paired
        else "labels of all members exchanged, Welch's t"
    )
    if len(design.names) == 2:
        tested = _tested(design, values, seed, paired=paired)
    else:
        missing = sorted({a, b} - set(design.names))
        why = f"no known accuracy: {', '.join(missing)}"
        if len(missing) == 2:
            why = "no two members of equal seeds have a known accuracy"
        nothing = estimates.estimate(np.nan, np.nan, np.nan, method=_method(paired), n=0, why=why)
        tested = permutations.NONE | {"estimate": nothing, "why": why}
    return verdicts.row(
        "accuracy",
        a=a,
        b=b,
        block=None,
        effect=EFFECT,
        method=f"{exchanged}; the largest p of that, of t, and of Hall's t, which is corrected for skewness",
        units=len(np.unique(design.unit)),
        n=len(design),
        blocks=design.draws,
        **tested,
    )


def _tested(design: Design, values: Float64[np.ndarray, " members"], seed: int, *, paired: bool) -> Row:
    relabelings = (
        permutations.of(design, seed)
        if paired
        else permutations.make(design.population, np.zeros(len(design), np.int64), seed)
    )
    estimate, statistic, p = _difference(design, values, paired=paired)
    if paired or statistic is None:
        outcome = relabelings.test(abs(estimate["value"]), lambda labels: _distance(labels, values))
    else:
        outcome = relabelings.test(abs(statistic), lambda labels: _welch(labels, values))
    why = outcome.why or (
        "" if statistic is not None else estimate.get("why", "accuracies do not vary: no t")
    )
    fields = {"statistic": statistic, "estimate": estimate, "chance": 0.0, "why": why} | outcome.fields()
    return fields | {"p": None if outcome.p is None else max(outcome.p, p)}


def _method(paired: bool) -> str:
    if paired:
        of = f"mean over members of equal seeds; {skewness.METHOD}"
    else:
        of = (
            "difference of means of independent members; as far as Welch's t or Hall's t, which is corrected "
            "for skewness"
        )
    return f"{of}; conservative where they are symmetric"


def _difference(
    design: Design, values: Float64[np.ndarray, " members"], *, paired: bool
) -> tuple[Row, float | None, float]:
    """The mean difference with its interval, its t, and the p that belongs to the interval."""
    from scipy import special

    first, second = (np.flatnonzero(design.population == at) for at in (0, 1))
    if paired:
        first, second = (own[np.argsort(design.unit[own])] for own in (first, second))
        samples = [values[first] - values[second]]
    else:
        samples = [values[first], values[second]]
    value = float(values[first].mean() - values[second].mean())
    n = len(first) if paired else len(design)
    if min(len(sample) for sample in samples) < 2:
        why = "an interval needs at least 2 members of each population"
        return estimates.estimate(value, np.nan, np.nan, method=_method(paired), n=n, why=why), None, 0.0
    parts = np.array([sample.var(ddof=1) / len(sample) for sample in samples])
    error, free = math.sqrt(parts.sum()), np.array([len(sample) - 1 for sample in samples])
    if error == 0:
        why = "accuracies do not vary, so that an interval would have no width"
        return estimates.estimate(value, np.nan, np.nan, method=_method(paired), n=n, why=why), None, 0.0
    degrees = float(parts.sum() ** 2 / (parts**2 / free).sum())
    quantile = float(special.stdtrit(degrees, (1 + estimates.LEVEL) / 2))
    skew = skewness.of_mean(samples[0], error)
    if not paired:
        skew -= skewness.of_mean(samples[1], error)
    below, above = skewness.reach(error, quantile, skew)
    found = estimates.estimate(value, value - below, value + above, method=_method(paired), n=n)
    t = min(abs(value / error), abs(skewness.transformed(value / error, skew)))
    return found, value / error, float(2 * special.stdtr(degrees, -t))


def _welch(
    labels: permutations.Batch, values: Float64[np.ndarray, " members"]
) -> Float64[np.ndarray, " permutations"]:
    """Size of Welch's t, for given labels; infinite where nothing varies but the means.

    Source: Janssen, Studentized permutation tests for non-i.i.d. hypotheses (Statistics and Probability
    Letters 36, 1997): unlike the difference itself it holds its level where spreads differ.
    """
    parts = []
    for label in (0, 1):
        own = labels == label
        size = own.sum(axis=1)
        mean = own @ values / size
        square = np.maximum(own @ values**2 - size * mean**2, 0.0)
        parts.append((mean, square / (size - 1) / size))
    (first, one), (second, other) = parts
    apart, error = np.abs(first - second), np.sqrt(one + other)
    return np.divide(apart, error, out=np.where(apart > 0, np.inf, 0.0), where=error > 0)


def _distance(
    labels: permutations.Batch, values: Float64[np.ndarray, " members"]
) -> Float64[np.ndarray, " permutations"]:
    """Absolute difference of the two means, for given labels."""
    first = labels == 0
    size = first.sum(axis=1)
    total = first @ values
    return np.abs(total / size - (values.sum() - total) / (len(values) - size))
