"""Values of single members, gathered one member after the other, and rows of their means."""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from masklab.analysis import estimates
from masklab.analysis.design import Design
from masklab.analysis.nulls import summary

Row = dict[str, Any]

DIFFERING = 3
"""Members that differ from the most common value, below which a metric of rare events has no interval."""

Key = tuple[str, str, str | None]
"""Layer (or `"whole"`), metric, axis (or None)."""


class One(NamedTuple):
    """What one member shows.

    Attributes:
        value: The metric; NaN where it is undefined.
        chance: What a random mask of the same kept counts would show; NaN where that is undefined.
        why: Reason why either is undefined.
        no_interval: Why a mean over members has no interval; empty where it has one.
    """

    value: float
    chance: float
    why: str = ""
    no_interval: str = ""


Found = dict[Key, One]


class Table:
    """Values and chance levels of all members, without the members.

    Args:
        design: The members.
        simulated: Metrics whose chance level is simulated: what single members show is a distribution.
        rare: Metrics of events that few members may show. Where fewer than `DIFFERING` members differ from
            the most common value they get no interval: by simulation a t interval then covers down to 88 %.
            Those of others reach further up, see `_upwards`.
    """

    def __init__(self, design: Design, *, simulated: Sequence[str] = (), rare: Sequence[str] = ()) -> None:
        self._design = design
        self._simulated, self._rare = simulated, rare
        self._columns: dict[Key, Float64[np.ndarray, "members 2"]] = {}
        self._why: dict[tuple[Key, int], str] = {}
        self._no_interval: dict[Key, str] = {}

    def add(self, place: int, found: Mapping[Key, One]) -> None:
        """Enter what one member shows.

        Args:
            place: Place of the member in the design.
            found: Its values.
        """
        for key, one in found.items():
            if key not in self._columns:
                self._columns[key] = np.full((len(self._design), 2), np.nan)
            self._columns[key][place] = one.value, one.chance
            if one.no_interval:
                self._no_interval[key] = one.no_interval
            if one.why and not np.isfinite(self._columns[key][place]).all():
                self._why[key, place] = one.why

    def rows(self, name: str, layer: str) -> Iterator[Row]:
        """Rows of one population and layer, metrics in the order in which they were entered.

        Args:
            name: The population.
            layer: The layer, or `"whole"`.
        """
        places = self._design.members(name)
        draws = len(np.unique(self._design.block[places]))
        for key in (key for key in self._columns if key[0] == layer):
            values, levels = self._columns[key][places].T
            reasons = [self._why[key, at] for at in places.tolist() if (key, at) in self._why]
            yield self._row(name, key, values, levels, draws, reasons)

    def _row(
        self,
        name: str,
        key: Key,
        values: Float64[np.ndarray, " own"],
        levels: Float64[np.ndarray, " own"],
        draws: int,
        reasons: list[str],
    ) -> Row:
        layer, metric, axis = key
        absent = reasons[0] if reasons else ""
        defined, known = values[np.isfinite(values)], levels[np.isfinite(levels)]
        row: Row = {
            "population": name,
            "layer": layer,
            "metric": metric,
            "axis": axis,
            "estimate": self._estimate(key, defined.tolist(), draws, absent),
            "chance": estimates.number(math.fsum(known) / len(known)) if len(known) else None,
        }
        if metric in self._simulated and len(known):
            row["null"] = summary.of(known)
        if 0 < len(defined) < len(values):
            row["why"] = f"without {len(values) - len(defined)} of {len(values)} members: {absent}"
        elif row["chance"] is None:
            row["why"] = absent
        return row

    def _estimate(self, key: Key, values: list[float], draws: int, absent: str) -> Row:
        estimate = estimates.mean_over_members(values, draws, absent=absent)
        if len(values) > 1 and key in self._no_interval:
            return {**estimate, "low": None, "high": None, "why": self._no_interval[key]}
        if len(values) > 1 and key[1] in self._rare:
            differing = len(values) - max(Counter(values).values())
            if differing < DIFFERING:
                why = (
                    f"an interval needs {DIFFERING} members that differ from the rest; there are {differing}"
                )
                return {**estimate, "low": None, "high": None, "why": why}
            estimate = _upwards(estimate, values, math.inf if key[1].endswith("_count") else 1.0)
        if estimate["low"] is not None and estimate["low"] < 0:  # no metric here can be negative
            return {**estimate, "low": 0.0, "method": f"{estimate['method']}; cut off at 0"}
        return estimate


def _upwards(estimate: Row, values: list[float], largest: float) -> Row:
    """An interval of counts, which are skewed: its upper end reaches as far as t on the scale of logarithms.

    By simulation t covers 90 % where members are as unequal as geometric counts, and this 96 to 97 %.
    """
    mean, n = estimate["value"], len(values)
    half = estimates.t_quantile(n - 1) * statistics.stdev(values) / math.sqrt(n)
    high = max(estimate["high"], mean * math.exp(half / mean))
    method = f"{estimate['method']}; upper end at least t's on the scale of logarithms, for skewed counts"
    return {**estimate, "high": min(high, largest), "method": f"{method}; conservative"}
