"""Mantel correlation of the distance of masks with the disagreement of what they predict.

Distances of populations or draws of base weights with different means would make a correlation where none is
within them (Simpson's paradox). So every pair that counts is of one population and one draw, distances are
centred within these strata, and members change places within them only. A partial Mantel test, whose error
is inflated, has no place here.

The interval is that of the jackknife on Fisher's scale, artanh r. Where a few members are far from the rest
of theirs, they alone make its variance, and t with n − 1 degrees of freedom is too short: r ± that covers 83
to 95 % by simulation. Instead the degrees of freedom are the number of seeds that have a part in the
variance, (Σd²)² ÷ Σd⁴ of their deviations d, and the interval is at least as wide as what 95 % of the
permutations reach. Then it covers 94 to 99 %, and 97 to 99 % for members of equal spread: conservative.

Source: Mantel, The detection of disease clustering and a generalized regression approach (Cancer Research
27, 1967); Guillot & Rousset, Dismantling the Mantel tests (Methods in Ecology and Evolution 4, 2013) on
partial ones; Fisher, On the "probable error" of a coefficient of correlation deduced from a small sample
(Metron 1, 1921) for the scale; Satterthwaite, An approximate distribution of estimates of variance components
(Biometrics Bulletin 2, 1946) for degrees of freedom from unequal parts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from masklab import seeds
from masklab.analysis import estimates, jackknife, verdicts
from masklab.analysis.design import Design
from masklab.analysis.function import relabelings, strata

LEAST_FOR_INTERVAL = 5
"""Members that at least one stratum must have for an interval."""

METHOD = (
    "Mantel correlation within each population and draw of base weights, {over}; two-sided, seeds permuted "
    "within both, all members of a seed together; leave-one-seed-out jackknife of artanh r, t with as many "
    "degrees of freedom as seeds share in its variance, and no narrower than what permutations reach; "
    "conservative; for these weight draws and test images"
)

_NEAREST_ONE = 1 - 1e-9
"""Largest correlation whose artanh is taken."""

_WORK = 200_000_000
_LEAST_PERMUTATIONS = 199
_AT_ONCE = 2**22

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Test:
    """A Mantel correlation, and what permutations make of it.

    Attributes:
        r: The correlation; NaN where undefined.
        without: The same without each seed; NaN where undefined.
        reached: Absolute value that 95 % of the relabelings do not exceed; NaN where undefined.
        p: Share of relabelings with as large an absolute value; NaN where undefined.
        smallest_p: The smallest p that any data could give.
        permutations: Number of relabelings.
        exact: Whether these are all.
        why: Why r is undefined.
    """

    r: float
    without: Float64[np.ndarray, " units"]
    reached: float
    p: float
    smallest_p: float
    permutations: int
    exact: bool
    why: str = ""


def test(chosen: Sequence[strata.Stratum], seed: int) -> Test:
    """The correlation over some strata, and its permutation test.

    Within a population squares and products are summed over the strata, so that a stratum weighs by its pairs
    and their spread; over populations the correlations are averaged, weighted by their pairs. Where both
    would take more than 2·10⁸ steps there are fewer permutations, 199 at least.

    Args:
        chosen: Strata of one population or several.
        seed: Seed of the permutations.
    """
    names = list(dict.fromkeys(stratum.population for stratum in chosen))
    sums = np.array([strata.sum_of(chosen, name) for name in names]).reshape(-1, 3)
    defined = [name for name, (xx, yy, _) in zip(names, sums, strict=True) if xx > 0 and yy > 0]
    kept = [stratum for stratum in chosen if stratum.population in defined]
    if not kept:
        few = f"no population has {strata.LEAST_MEMBERS} members of one draw of base weights that predict"
        why = "in each of them all pairs have the same distance" if chosen else few
        return Test(math.nan, np.zeros(0), math.nan, math.nan, math.nan, 0, False, why)
    factors = _factors(kept)
    units = np.unique(np.concatenate([stratum.units for stratum in kept]))
    possible = relabelings.of(_patterns(kept, units))
    observed = float(sum(f * stratum.sums()[2] for f, stratum in zip(factors, kept, strict=True)))
    values = np.abs(_permuted(kept, factors, units, possible, seed))
    reached = float(np.quantile(values, estimates.LEVEL, method="higher"))
    p = verdicts.p_value(abs(observed), values, exact=possible.exact)
    smallest = possible.smallest_p(len(values))
    return Test(observed, _without(kept, units), reached, p, smallest, len(values), possible.exact)


def rows(
    x: strata.Square, y: strata.Square, design: Design, seed: int, kind: strata.Kind = "pearson"
) -> list[Row]:
    """Rows of `tests`: one per population, and one over all of them where there are several.

    Args:
        x: Hamming distance of all pairs of masks.
        y: Disagreement of all pairs.
        design: Who the members are.
        seed: Seed of the permutations.
        kind: Correlation of the distances, or of their ranks within each stratum; without a seed the ranks
            stay what they were.
    """
    found = strata.of(x, y, design, kind)
    tested = [[one for one in found if one.population == name] for name in design.names]
    made = [_row(name, own, test(own, seed), kind) for name, own in zip(design.names, tested, strict=True)]
    made = verdicts.adjusted(made)
    if len(made) > 1:
        combined = _row(None, found, test(found, seed), kind)
        made.append({**combined, "adjusted_p": combined["p"]})
    return made


def _row(name: str | None, chosen: Sequence[strata.Stratum], found: Test, kind: strata.Kind) -> Row:
    over = "pooled over the draws" if name else "mean over the populations weighted by pairs"
    units = len(found.without)
    low, high, why = math.nan, math.nan, found.why
    if not why and max(len(stratum.units) for stratum in chosen) < LEAST_FOR_INTERVAL:
        why = f"an interval needs {LEAST_FOR_INTERVAL} members of one population and one draw of base weights"
    elif not why and not np.isfinite(found.without).all():
        why = "without one of the seeds all pairs have the same distance"
    elif not why:
        low, high = _interval(found)
        why = jackknife.SAME if math.isnan(low) else ""
    method = METHOD.format(over=over)
    return verdicts.row(
        "mantel",
        a=name,
        statistic=found.r,
        estimate=estimates.estimate(found.r, low, high, method=method, n=units, why=why),
        effect=f"{kind.capitalize()} correlation of Hamming distance and disagreement",
        chance=None if found.why else 0.0,
        p=found.p,
        smallest_p=found.smallest_p,
        permutations=found.permutations,
        exact=found.exact,
        units=units,
        n=sum(len(stratum.units) for stratum in chosen),
        blocks=len({stratum.block for stratum in chosen}),
        pairs=sum(stratum.pairs for stratum in chosen),
        method=method,
        why=found.why,
    )


def _interval(found: Test) -> tuple[float, float]:
    """Ends of the interval; NaN where it would have no width."""
    from scipy import special

    r, without, reached = (
        np.arctanh(np.clip(each, -_NEAREST_ONE, _NEAREST_ONE))
        for each in (found.r, found.without, found.reached)
    )
    if np.ptp(without) < 1 - _NEAREST_ONE:
        return math.nan, math.nan
    squares = (without - without.mean()) ** 2
    degrees = squares.sum() ** 2 / (squares**2).sum()
    quantile = special.stdtrit(degrees, (1 + estimates.LEVEL) / 2)
    half = max(quantile * math.sqrt(jackknife.variance(without)), reached)
    return float(np.tanh(r - half)), float(np.tanh(r + half))


def _factors(chosen: Sequence[strata.Stratum]) -> list[float]:
    """Weight of each stratum's sum of products in the correlation."""
    total = sum(stratum.pairs for stratum in chosen)
    found = []
    for stratum in chosen:
        pairs = sum(one.pairs for one in chosen if one.population == stratum.population)
        xx, yy, _ = strata.sum_of(chosen, stratum.population)
        found.append(pairs / total / math.sqrt(xx * yy))
    return found


def _patterns(chosen: Sequence[strata.Stratum], units: Int64[np.ndarray, " units"]) -> list[tuple[int, ...]]:
    """Which strata each seed is in."""
    return [tuple(row) for row in np.stack([np.isin(units, one.units) for one in chosen], axis=1).tolist()]


def _permuted(
    chosen: Sequence[strata.Stratum],
    factors: Sequence[float],
    units: Int64[np.ndarray, " units"],
    possible: relabelings.Relabelings,
    seed: int,
) -> Float64[np.ndarray, " permutations"]:
    """The correlation under every relabeling, or under random ones."""
    work = sum(stratum.pairs for stratum in chosen)
    count = min(relabelings.PERMUTATIONS, max(_LEAST_PERMUTATIONS, _WORK // work))
    random = seeds.stream(seed, "split", layer="analysis/function/mantel")
    orders = possible.all() if possible.exact else possible.draw(count, random)
    values = np.zeros(len(orders))
    for factor, stratum in zip(factors, chosen, strict=True):
        at = np.searchsorted(units, stratum.units)
        own = np.zeros(len(units), dtype=np.int64)
        own[at] = np.arange(len(at))
        moved = own[orders[:, at]]
        first, second = np.triu_indices(len(at), 1)
        of_pairs, flat = stratum.x[first, second], stratum.y.reshape(-1)
        step = max(1, _AT_ONCE // len(first))
        for start in range(0, len(orders), step):
            part = moved[start : start + step]
            values[start : start + step] += factor * (
                flat[part[:, first] * len(at) + part[:, second]] @ of_pairs
            )
    return values


def _without(
    chosen: Sequence[strata.Stratum], units: Int64[np.ndarray, " units"]
) -> Float64[np.ndarray, " units"]:
    """The correlation without each seed; the populations keep their weights."""
    total, found = sum(stratum.pairs for stratum in chosen), np.zeros(len(units))
    for name in dict.fromkeys(stratum.population for stratum in chosen):
        own = [stratum for stratum in chosen if stratum.population == name]
        sums = np.tile(strata.sum_of(chosen, name), (len(units), 1))
        for stratum in own:
            sums[np.searchsorted(units, stratum.units)] += stratum.sums_without() - stratum.sums()
        spread = np.sqrt(sums[:, 0] * sums[:, 1])
        r = np.divide(sums[:, 2], spread, out=np.full_like(spread, np.nan), where=spread > 0)
        found += r * sum(stratum.pairs for stratum in own) / total
    return found
