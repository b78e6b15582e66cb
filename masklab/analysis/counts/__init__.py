"""What needs no pair of masks: stability, consensus, spread and sums of squares, in time linear in the masks.

`tallies.tally` counts; everything else derives from its integers. Where n² distances are out of reach, this
alone gives a report. Headline values are those within draws of base weights (`block` = `"within"`): masks
over different weights overlap at chance. With several draws, `"all"` stands beside them.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from masklab.analysis import estimates, overlap
from masklab.analysis.counts import consensus, samples, spread, stability, tallies

Row = dict[str, Any]

STABILITY = (
    "mean over layers by their weights, within draws by their pairs; leave-one-mask-out jackknife, t with "
    "n − 1 degrees of freedom; conservative near chance; for these weight draws"
)
HAMMING = overlap.METHOD + "; conservative near chance"

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
        found["tests"] = [*_against_chance(names, measured), *_between(names, measured)]
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


def _against_chance(names: list[str], measured: list[samples.Sample]) -> list[Row]:
    """Whether the masks of each population agree more or less than independent ones: two-sided z test."""
    from scipy import special

    p = [float(2 * special.ndtr(-abs(sample.z[0]))) for sample in measured]
    found = []
    for name, sample, own, corrected in zip(names, measured, p, stability.adjusted(p), strict=True):
        row = _test("stability-against-chance", name, None, sample.z[0], own, corrected)
        row |= {
            "estimate": sample.estimate(0, STABILITY),
            "effect": "stability",
            "chance": estimates.number(sample.chance[0]),
            "n": len(sample.units),
            "method": "z; exact mean and variance for independent masks with the same kept counts per layer, "
            "normal approximation over weights; adjusted over populations (Benjamini and Hochberg)",
        }
        found.append(row if np.isfinite(own) else {**row, "why": sample.reason(0) or "nothing can vary"})
    return found


def _between(names: list[str], measured: list[samples.Sample]) -> list[Row]:
    """Differences of stability between every two populations."""
    chosen = list(itertools.combinations(range(len(names)), 2))
    compared = [stability.difference(measured[a], measured[b]) for a, b in chosen]
    adjusted = stability.adjusted([float(found.p[0]) for found in compared])
    found = []
    for (a, b), test, corrected in zip(chosen, compared, adjusted, strict=True):
        value, half = float(test.value[0]), float(test.half[0])
        how = (
            "members paired by seed: jackknife of the difference, each seed left out of both"
            if test.paired
            else "independent members: Welch's test on the jackknife variances"
        )
        method = f"{how}; conservative near chance; for these weight draws"
        row = _test("stability", names[a], names[b], test.statistic[0], test.p[0], corrected)
        row |= {
            "estimate": estimates.estimate(
                value, value - half, value + half, method=method, n=test.units, why=test.why[0]
            ),
            "effect": "difference of stability, a − b",
            "chance": 0.0,
            "n": test.units,
            "method": f"{method}; adjusted over pairs of populations (Benjamini and Hochberg)",
        }
        found.append({**row, "why": test.why[0]} if test.why[0] else row)
    return found


def _test(name: str, a: str, b: str | None, statistic: float, p: float, adjusted: float) -> Row:
    return {
        "test": name,
        "a": a,
        "b": b,
        "layer": overlap.WHOLE,
        "block": "within",
        "statistic": estimates.number(statistic),
        "p": estimates.number(p),
        "adjusted_p": estimates.number(adjusted),
        "smallest_p": None,
        "permutations": None,
        "exact": False,
        "units": "masks",
    }
