"""Synthetic statistics: every key of results.json beyond overlap, with plain numbers that tests can find."""

import itertools
from typing import Any

import numpy as np

from .predicted import function, value
from .recipe import LAYERS

Row = dict[str, Any]


def null(mean: float, half: float, n: int = 19) -> Row:
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n, "range": "smallest to largest"}


def rows(names: list[str], members: list[tuple[int, int, int]], masks: dict) -> Row:
    """All keys that a complete analysis has, for members (population, index, block)."""
    return {**statistics(names, members), **function(names, members, masks)}


def statistics(names: list[str], members: list[tuple[int, int, int]]) -> Row:
    """The same without what members predict."""
    several = [name for p, name in enumerate(names) if sum(row[0] == p for row in members) > 1]
    draws = len({block for _, _, block in members})
    return {
        "without_pairs": None,
        "stability": _linear("stability", names, several, 0.0),
        "spread": _linear("hamming", names, several, 0.5),
        "sums": [],
        "consensus": _consensus(several, draws),
        "tests": _tests(names, several),
        "clusters": _clusters(several),
        "structure": _structure(names, several),
        "diversity": _diversity(names),
        "rarefaction": _rarefaction(several),
        "nulls": [{"null": "twins", "text": "random masks", "members": [], "replicates": 19}],
    }


def _linear(metric: str, names: list[str], several: list[str], chance: float) -> list[Row]:
    return [
        {
            "population": name,
            "layer": layer,
            "metric": metric,
            "block": "within",
            "estimate": value(0.05 + 0.01 * p + 0.001 * at)
            if name in several
            else value(None, why="one mask"),
            "chance": chance,
            "chance_sd": 0.003,
            "z": 14.0,
            "pairs": 15 if name in several else 0,
        }
        for p, name in enumerate(names)
        for at, layer in enumerate(("whole", *LAYERS))
    ]


def _consensus(several: list[str], draws: int) -> list[Row]:
    found = []
    for p, name in enumerate(several):
        for kept_by, (share, chance) in enumerate(
            ((0.16, 0.125), (0.34, 0.375), (0.32, 0.375), (0.18, 0.125))
        ):
            row = {"population": name, "layer": "whole", "block": "within", "of": 3, "draws": draws}
            row |= {"kept_by": kept_by, "share": share + 0.001 * p, "chance": chance}
            if kept_by in (0, 3):
                row |= {"chance_sd": 0.001, "estimate": value(share + 0.001 * p, 0.004)}
            found.append(row)
    return found


def tested(
    name: str,
    a: str | None,
    b: str | None,
    *,
    effect: float | None,
    chance: float = 0.0,
    p: float | None = 0.03,
    label: str = "an effect",
) -> Row:
    """A row of `tests`, sampled relabelings."""
    row = {
        "test": name,
        "a": a,
        "b": b,
        "statistic": 2.0,
        "estimate": value(effect, 0.02, why="there is one population"),
        "effect": label,
        "chance": chance,
        "p": p,
        "adjusted_p": None if p is None else min(1.0, 2 * p),
        "smallest_p": 0.0001,
        "permutations": 9999,
        "exact": False,
        "units": 6,
        "n": 12,
        "method": "labels exchanged",
    }
    return row if p is not None else {**row, "why": "there is one population"}


def _tests(names: list[str], several: list[str]) -> list[Row]:
    share = "r_squared: share of the scatter"
    one = len(names) < 2
    found = [
        tested("stability-against-chance", name, None, effect=0.05, p=1e-40, label="stability")
        for name in several
    ]
    if several:
        whole = None if one else 0.17
        found.append(
            tested("permanova", None, None, effect=whole, chance=0.16, p=None if one else 0.0001, label=share)
        )
    for a, b in itertools.combinations(several, 2):
        found.append(tested("permanova", a, b, effect=0.11, chance=0.1, label=share))
        found.append(
            tested("accuracy", a, b, effect=-0.0123, p=0.5, label="difference of mean accuracy, a − b")
        )
    if several:
        label = "Pearson correlation of Hamming distance and disagreement"
        found += [tested("mantel", name, None, effect=0.31, p=0.004, label=label) for name in several]
        found.append(tested("mantel", None, None, effect=0.27, p=0.002, label=label))
    return found


def _clusters(several: list[str]) -> list[Row]:
    if not several:
        return []
    common = {"method": "average-linkage", "parameters": {"clusters": len(several)}}
    nothing = {
        "p": None,
        "smallest_p": None,
        "permutations": None,
        "exact": None,
        "why": "compare with the null",
    }
    tested = {"p": 0.02, "smallest_p": 0.0001, "permutations": 9999, "exact": False, "chance": -0.01}
    return [
        {
            **common,
            "quantity": "cophenetic_correlation",
            "against": None,
            "estimate": value(0.913, None),
            "null": null(0.34, 0.02),
            **nothing,
        },
        {
            **common,
            "quantity": "adjusted_rand_index",
            "against": "population",
            "estimate": value(0.456, None),
            "null": null(0.0, 0.02),
            **tested,
        },
    ]


def _structure(names: list[str], several: list[str]) -> list[Row]:
    found = []
    for p, name in enumerate(names):
        common = {"population": name, "axis": None}
        numbers = {
            "positive_kept": (0.456, 0.503),
            "positive_pruned": (0.549, 0.503),
            "norm_kept": (14.035, 13.433),
            "norm_pruned": (12.801, 13.433),
            "squared_norm_share_kept": (0.546, 0.5),
            "disconnected_count": (3.0, 1.2),
        }
        for metric, (number, chance) in numbers.items():
            row = {**common, "layer": "whole", "metric": metric, "estimate": value(number + 0.001 * p)}
            found.append({**row, "chance": chance})
        dead = {**common, "axis": "output", "layer": "whole", "metric": "dead_count"}
        found.append({**dead, "estimate": value(0.0, None), "chance": 0.01})
        total = sum(LAYERS.values())
        for at, (layer, size) in enumerate(LAYERS.items() if name in several else ()):
            share = {**common, "layer": layer, "metric": "distance_share", "block": "within"}
            level = size / total
            share |= {"weight_share": level, "estimate": value(level * (0.9 + 0.02 * at), 0.01 * level)}
            found.append({**share, "chance": level})
    return found


def _diversity(names: list[str]) -> list[Row]:
    few = "a dimension needs at least 50 masks of one weight draw"
    found = []
    for p, name in enumerate(names):
        common = {"population": name, "block": "within", "members": 6}
        found += [
            {**common, "metric": "vendi", "estimate": value(2.9 + 0.01 * p), "null": null(2.99, 0.005)},
            {**common, "metric": "nearest_mean", "estimate": value(0.4724), "null": null(0.495, 0.003)},
            {**common, "metric": "nearest_min", "estimate": value(0.4693, None), "null": null(0.4925, 0.003)},
            {**common, "metric": "distinct", "estimate": value(3.0, None), "null": null(3.0, 0.0)},
            *(
                {**common, "metric": metric, "estimate": value(None, why=few), "null": None, "why": few}
                for metric in ("dimension_bid", "dimension_twonn")
            ),
        ]
    return found


def _rarefaction(several: list[str]) -> list[Row]:
    found = []
    for p, name in enumerate(several):
        for size in (1, 2, 3):
            own = size * (1 - 0.01 * (size - 1) * (1 + p))
            row = {"population": name, "block": "within", "metric": "vendi", "size": size, "members": 6}
            found.append({**row, "estimate": value(own), "null": null(size * 0.999, 0.001)})
        for size in (1, 2, 4, 6):
            row = {"population": name, "block": "all", "metric": "coverage", "size": size, "members": 6}
            row |= {"estimate": value(1 - 0.52**size, None), "null": None, "chance": 1 - 0.5**size}
            found.append(row)
    return found


def embedding(row: Row, trust: float, level: float, *, seed: int = 3) -> Row:
    """An embedding with what stands beside it: quality, a twin and the comparison of both."""
    random = np.random.RandomState(seed)
    places = random.standard_normal((len(row["points"]), 2))
    points = [
        {"id": point["id"], "x": float(x), "y": float(y)}
        for point, (x, y) in zip(row["points"], places, strict=True)
    ]
    reached = trust <= level
    return {
        **row,
        "quality": {
            "trustworthiness": trust,
            "shepard": 0.51,
            "stability": None,
            "neighbors": 5,
            "why": "alone",
        },
        "twin": {
            "points": points,
            "explained": None if row["explained"] is None else [0.0432, 0.0321],
            "quality": {"trustworthiness": level, "shepard": 0.2, "stability": 0.6, "neighbors": 5},
        },
        "null": null(level, 0.03),
        "p": 0.4 if reached else 0.05,
        "smallest_p": 0.05,
        "distinguishable": not reached,
    }
