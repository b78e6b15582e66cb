"""How much more the masks of a population agree than independent masks with the same kept counts.

Per layer Φ = 1 − h ÷ (2Nq(1 − q)), with h the mean number of weights that exactly one of two masks keeps and
q the mean density: 0 at chance, 1 for equal masks. The whole mask is the mean over layers, weighted by their
number of weights: in one piece, unequal densities of the layers would count as agreement.

Source: Nogueira, Sechidis and Brown, On the stability of feature selection algorithms (JMLR 18, 2018). Their
asymptotic interval covers 74 % instead of 95 % at five masks, so intervals are leave-one-mask-out jackknives.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from masklab.analysis import chance
from masklab.analysis.counts import samples, spread, tallies

UNDEFINED = "every mask keeps all weights, or none"


def stability(counted: tallies.Tallies, groups: tallies.Groups) -> list[samples.Sample]:
    """Stability of each population: 1 for equal masks, expected 0 at chance.

    Layers in which nothing varies are left out of the whole mask.
    """
    found, sizes = spread.pairs(counted, groups), counted.sizes
    scale = _scale(found.kept, found.members, sizes)
    scale_without = _scale(found.kept_without, found.members_without, sizes)
    statistic = (
        _phi(spread.mean_differing(found.differing, found.members), scale),
        _phi(spread.mean_differing(found.differing_without, found.members_without), scale_without),
    )
    mean, variance = spread.chance_differing(counted, groups)
    null = (_phi(mean, scale), chance.ratio(variance, scale**2))
    return samples.by_population(counted, groups, statistic, null, UNDEFINED)


def shared_variance(counted: tallies.Tallies, groups: tallies.Groups) -> list[float]:
    """Variance of the summed intersections of all pairs of each population, for independent masks.

    What they share is counted in weights: where this is small, the sum takes few values and is skewed, and
    no normal approximation holds.
    """
    _, variance = spread.chance_differing(counted, groups)
    division = groups.division
    several = division.sizes > 1
    pairs = division.sizes * (division.sizes - 1) / 2
    by_group = np.where(several, variance, 0.0).sum(axis=0) * (pairs / 2) ** 2  # of intersections, not means
    populations = range(len(counted.design.names))
    return [float(by_group[division.population == at].sum()) for at in populations]


def _scale(
    kept: Int64[np.ndarray, "layers sides"],
    members: Int64[np.ndarray, " sides"],
    sizes: Int64[np.ndarray, " layers"],
) -> samples.ByGroup:
    """2Nq(1 − q): weights in which two masks of mean density q would differ."""
    everything = np.broadcast_to(members * sizes[:, None], kept.shape)
    return (
        2
        * chance.ratio(kept, everything)
        * chance.ratio(everything - kept, np.broadcast_to(members, kept.shape))
    )


def _phi(differing: samples.ByGroup, scale: samples.ByGroup) -> samples.ByGroup:
    return 1 - chance.ratio(differing, scale)


@dataclass(frozen=True, eq=False)
class Difference:
    """Two-sample test of stabilities, per stratum: the whole mask, then each layer. NaN where undefined.

    Attributes:
        value: Stability of the first minus that of the second.
        half: Half width of the interval.
        statistic: Difference ÷ its standard error.
        p: Two-sided.
        paired: Whether members are paired by their seeds.
        units: Number of units.
        why: Per stratum, why there is no test.
    """

    value: samples.Strata
    half: samples.Strata
    statistic: samples.Strata
    p: samples.Strata
    paired: bool
    units: int
    why: list[str]


def difference(first: samples.Sample, second: samples.Sample) -> Difference:
    """Compare the stabilities of two populations.

    A unit that is in both is left out of both at once: with equal units on both sides this is the jackknife
    of the difference, t with n − 1 degrees of freedom. Otherwise these are those of the smaller side, which
    is conservative; Welch's are too many where one side has few masks.
    """
    from scipy import special

    units = np.union1d(first.units, second.units)
    joint = np.zeros((len(first.value), len(units)))
    joint[:, np.searchsorted(units, first.units)] += first.influence
    joint[:, np.searchsorted(units, second.units)] -= second.influence
    common = len(np.intersect1d(first.units, second.units))
    value, error = first.value - second.value, np.sqrt((joint**2).sum(axis=1))
    why = [first.reason(at) or second.reason(at) for at in range(len(value))]
    defined = np.array([not reason for reason in why], dtype=bool)
    least = max(min(len(first.units), len(second.units)) - 1, 1)
    degrees = np.full(len(value), float(least))
    statistic = np.where(defined, chance.ratio(value, error), np.nan)
    half = np.where(defined, special.stdtrit(degrees, 0.975) * error, np.nan)
    p = 2 * special.stdtr(degrees, -np.abs(statistic))
    why = [reason or ("" if error[at] > 0 else "nothing varies") for at, reason in enumerate(why)]
    return Difference(value, half, statistic, p, common > 0, len(units), why)
