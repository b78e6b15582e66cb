"""What needs no pair of masks: stability, consensus, spread and sums of squares, in time linear in the masks.

`tallies.tally` counts; everything else derives from its integers. Where n² distances are out of reach, this
alone gives a report. Headline values are those within draws of base weights (`block` = `"within"`): masks
over different weights overlap at chance. With several draws, `"all"` stands beside them.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

from masklab.analysis import estimates, overlap, verdicts
from masklab.analysis.counts import consensus, samples, spread, stability, tallies

Row = dict[str, Any]

STABILITY = (
    "mean over layers by their weights, within draws by their pairs; leave-one-mask-out jackknife, t with "
    "n − 1 degrees of freedom; conservative near chance; for these weight draws"
)
HAMMING = overlap.METHOD + "; conservative near chance"

LEAST_VARIANCE = 10
"""Variance of the summed intersections from which stability has a p value against chance: by simulation, at
0.15 (3 masks that keep 5 of 500 weights) the normal approximation rejects 14.5 % instead of 5 %."""

_NOT_NORMAL = (
    "no p value: what these masks share by chance varies too little for the normal approximation (variance "
    f"of the summed intersections below {LEAST_VARIANCE})"
)

_Measure = Callable[[tallies.Tallies, tallies.Groups], list[samples.Sample]]


def rows(counted: tallies.Tallies) -> dict[str, list[Row]]:
    """Everything for `results.json` that derives from the tallies.

    Returns:
        `stability` and `spread`: per population, layer and block; `consensus`: see `consensus.rows`; `sums`:
        PERMANOVA's sums of squares on √Hamming, over all populations and of every two; `tests`: stability of
        each population against chance, and of every two populations, within draws.
    """
    found: dict[str, list[Row]] = {name: [] for name in ("stability", "consensus", "spread", "sums", "tests")}
    blocks = {"within": counted.within, "all": counted.whole}
    if counted.within is counted.whole:
        del blocks["all"]
    for block, groups in blocks.items():
        found["stability"] += _rows(counted, groups, block, stability.stability, "stability", STABILITY)
        found["spread"] += _rows(counted, groups, block, spread.hamming, "hamming", HAMMING)
        found["consensus"] += consensus.rows(counted, groups, block)
        found["sums"] += spread.sum_rows(counted, groups, block)
    if counted.layers:
        names = counted.design.names
        measured = stability.stability(counted, counted.within)
        draws = _draws(counted.within, len(names))
        shared = stability.shared_variance(counted, counted.within)
        found["tests"] = [*_against_chance(names, measured, draws, shared), *_between(names, measured, draws)]
    return found


def _rows(
    counted: tallies.Tallies,
    groups: tallies.Groups,
    block: str,
    measure: _Measure,
    metric: str,
    method: str,
) -> list[Row]:
    if not counted.layers:
        return []
    found = []
    for population, measured in zip(counted.design.names, measure(counted, groups), strict=True):
        for stratum, layer in enumerate((overlap.WHOLE, *counted.layers)):
            found.append(
                {
                    "population": population,
                    "layer": layer,
                    "metric": metric,
                    "block": block,
                    "estimate": measured.estimate(stratum, method),
                    "chance": estimates.number(measured.chance[stratum]),
                    "chance_sd": estimates.number(measured.chance_sd[stratum]),
                    "z": estimates.number(measured.z[stratum]),
                    "pairs": measured.pairs,
                }
            )
    return found


def _against_chance(
    names: list[str], measured: list[samples.Sample], draws: list[set[int]], shared: list[float]
) -> list[Row]:
    """Whether the masks of each population agree more or less than independent ones: two-sided z test."""
    from scipy import special

    found = []
    for name, sample, own, variance in zip(names, measured, draws, shared, strict=True):
        p = float(2 * special.ndtr(-abs(sample.z[0])))
        why = "" if math.isfinite(p) else sample.reason(0) or "nothing can vary"
        if not why and variance < LEAST_VARIANCE:
            p, why = math.nan, _NOT_NORMAL
        row = verdicts.row(
            "stability-against-chance",
            a=name,
            statistic=sample.z[0],
            estimate=sample.estimate(0, STABILITY),
            effect="stability",
            chance=sample.chance[0],
            p=p,
            units=len(sample.units),
            n=len(sample.units),
            blocks=len(own),
            pairs=sample.pairs,
            method="z; exact mean and variance for independent masks with the same kept counts per layer, "
            "normal approximation over weights; adjusted over populations (Benjamini and Hochberg)",
            why=why,
        )
        found.append(row)
    return verdicts.adjusted(found)


def _between(names: list[str], measured: list[samples.Sample], draws: list[set[int]]) -> list[Row]:
    """Differences of stability between every two populations."""
    found = []
    for a, b in itertools.combinations(range(len(names)), 2):
        test = stability.difference(measured[a], measured[b])
        value, half = float(test.value[0]), float(test.half[0])
        how = (
            "members paired by seed: jackknife of the difference, each seed left out of both"
            if test.paired
            else "independent members: jackknife variances, degrees of freedom of the smaller side"
        )
        method = f"{how}; conservative near chance; for these weight draws"
        ends = value - half, value + half
        row = verdicts.row(
            "stability",
            a=names[a],
            b=names[b],
            statistic=test.statistic[0],
            estimate=estimates.estimate(value, *ends, method=method, n=test.units, why=test.why[0]),
            effect="difference of stability, a − b",
            chance=0.0,
            p=test.p[0],
            units=test.units,
            n=len(measured[a].units) + len(measured[b].units),
            blocks=len(draws[a] | draws[b]),
            pairs=measured[a].pairs + measured[b].pairs,
            method=f"{method}; adjusted over pairs of populations (Benjamini and Hochberg)",
            why=test.why[0],
        )
        found.append(row)
    return verdicts.adjusted(found)


def _draws(groups: tallies.Groups, populations: int) -> list[set[int]]:
    """Draws of base weights on which each population has a pair of masks."""
    division = groups.division
    paired = division.sizes > 1
    return [set(division.place[paired & (division.population == at)].tolist()) for at in range(populations)]
