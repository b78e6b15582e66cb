"""The one form that a test has in `results.json`, its p value from relabelings, and the correction for many.

Source: Phipson and Smyth, Permutation p-values should never be zero (Statistical Applications in Genetics and
Molecular Biology 9, 2010) for (1 + b)/(1 + B); Benjamini and Hochberg, Controlling the false discovery rate
(Journal of the Royal Statistical Society B 57, 1995).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from masklab.analysis import estimates, overlap

PERMUTATIONS = 9_999
"""Relabelings that are enumerated at most, and drawn where there are more."""

_RELATIVE_TIE = 1e-9
"""Statistics closer than this are equal: sums in another order are rounded differently."""

Row = dict[str, Any]


def row(
    test: str,
    *,
    effect: str,
    estimate: Row,
    method: str,
    units: int,
    n: int,
    a: str | None = None,
    b: str | None = None,
    block: str | None = "within",
    blocks: int | None = None,
    pairs: int | None = None,
    statistic: float | None = None,
    chance: float | None = None,
    p: float | None = None,
    smallest_p: float | None = None,
    permutations: int | None = None,
    exact: bool = False,
    why: str = "",
) -> Row:
    """A row of `tests`; every row has the same fields, and `why` where something is undefined.

    Args:
        test: Name of the test.
        effect: Name of the effect.
        estimate: The effect with its interval.
        method: What was tested and how, for a reader.
        units: Number of independent units: seeds, or masks where these are not paired.
        n: Number of members.
        a: The population tested; None for all of them.
        b: The population that it is compared with, if any.
        block: "within" where only members of equal base weights are compared; None where these do not matter.
        blocks: Number of draws of base weights; None where not known.
        pairs: Number of pairs of members, where the test is of these.
        statistic: Test statistic.
        chance: Expectation of the effect under the null hypothesis.
        p: Its p value.
        smallest_p: The smallest p that any data could give; None where there are no relabelings.
        permutations: Number of relabelings; None where the test needs none.
        exact: Whether these are all that there are.
        why: Why something is undefined.
    """
    found = {
        "test": test,
        "a": a,
        "b": b,
        "layer": overlap.WHOLE,
        "block": block,
        "statistic": _number(statistic),
        "estimate": estimate,
        "effect": effect,
        "chance": _number(chance),
        "p": _number(p),
        "adjusted_p": None,
        "smallest_p": _number(smallest_p),
        "permutations": permutations,
        "exact": exact,
        "units": units,
        "n": n,
        "blocks": blocks,
        "pairs": pairs,
        "method": method,
    }
    return found | {"why": why} if why else found


def _number(value: float | None) -> float | None:
    return None if value is None else estimates.number(value)


def adjusted(rows: Sequence[Row]) -> list[Row]:
    """Fill in `adjusted_p` (Benjamini and Hochberg) over the rows that have a p; None for the others.

    Args:
        rows: Rows of one family of tests.

    Examples:
        >>> [row["adjusted_p"] for row in adjusted([{"p": 0.01}, {"p": None}, {"p": 0.04}])]
        [0.02, None, 0.04]
    """
    from scipy import stats

    known = [row["p"] for row in rows if row["p"] is not None]
    corrected = iter(stats.false_discovery_control(known).tolist() if known else [])
    return [row | {"adjusted_p": None if row["p"] is None else next(corrected)} for row in rows]


def p_value(observed: float, values: Float64[np.ndarray, " permutations"], *, exact: bool) -> float:
    """Share of relabelings whose statistic is at least the observed one; large values are evidence.

    Args:
        observed: The statistic of the data.
        values: The statistic under each relabeling.
        exact: Whether these are all relabelings, the observed labels among them; otherwise they are drawn,
            and the observed labels count as one more.

    Examples:
        >>> p_value(3.0, np.array([3.0, 1.0, 2.0, 0.0]), exact=True)
        0.25
        >>> p_value(3.0, np.array([0.0, 1.0, 2.0, 0.0]), exact=False)
        0.2
    """
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if np.isfinite(observed):
        observed -= _RELATIVE_TIE * max(abs(observed), largest)
    reached = int((values >= observed).sum())
    return reached / len(values) if exact else (1 + reached) / (1 + len(values))


def smallest_p(permutations: int, *, exact: bool) -> float:
    """The smallest p that any data could give.

    Args:
        permutations: Number of relabelings.
        exact: Whether these are all.
    """
    return 1 / permutations if exact else 1 / (1 + permutations)
