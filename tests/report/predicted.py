"""Synthetic statistics of what members predict, and the form of an estimate."""

import itertools
from typing import Any

import numpy as np

Row = dict[str, Any]
LACKING = "an interval needs more members"


def value(number: float | None, half: float | None = 0.01, n: int = 6, why: str = "") -> Row:
    """An estimate; without a half width it has no interval and says why."""
    common = {"level": 0.95, "method": "jackknife over masks", "n": n}
    if number is None or half is None:
        return {"value": number, "low": None, "high": None, **common, "why": why or LACKING}
    return {"value": number, "low": number - half, "high": number + half, **common}


def function(names: list[str], members: list[tuple[int, int, int]], masks: dict) -> Row:
    """The keys `function`, `ensembles`, `scatter` and `scope`."""
    pairs = [
        (i, j) for i, j in itertools.combinations(range(len(members)), 2) if members[i][0] == members[j][0]
    ]
    scope = {"members": len(members), "images": 10_000, "left_out": {}, "labels": None}
    whole = np.concatenate(list(masks.values()), axis=1)
    found: Row = {"function": [], "ensembles": [], "scatter": [], "scope": scope}
    for i, j in pairs:
        hamming = float((whole[i] != whole[j]).mean())
        found["scatter"].append(
            {
                "id_a": f"{names[members[i][0]]}/{members[i][1]:04d}",
                "id_b": f"{names[members[j][0]]}/{members[j][1]:04d}",
                "block": "within" if members[i][2] == members[j][2] else "across",
                "hamming": hamming,
                "chance_corrected": 1 - 2 * hamming,
                "disagreement": hamming / 3,
            }
        )
    scope["scatter"] = {"shown": len(pairs), "of": len(pairs)}
    for p in sorted({members[i][0] for i, _ in pairs}):
        found["function"] += predictions(names[p], 0.001 * p)
        found["ensembles"] += ensembles(names[p], 0.001 * p)
    return found


def predictions(name: str, more: float) -> list[Row]:
    levels = {
        "disagreement": (0.156, 0.9),
        "normalised_disagreement": (1.456, 1.928),
        "kappa": (0.827, 0.0),
        "q_statistic": (0.738, 0.0),
        "double_fault": (0.04, 0.012),
        "jensen_shannon": (0.111, 0.776),
    }
    found = []
    for metric, (number, chance) in levels.items():
        row = {"a": name, "b": name, "block": "within", "seed": "different", "metric": metric}
        row |= {"estimate": value(number + more), "chance": chance, "pairs": 15, "images": 10_000}
        if metric == "normalised_disagreement":
            row["limits"] = {"relabelled": 0.277}
        found.append(row)
    return found


def ensembles(name: str, more: float) -> list[Row]:
    return [
        {
            "population": name,
            "rule": rule,
            "size": size,
            "estimate": value(0.85 + gain),
            "gain": value(gain + more * (size > 1)),
            "mean_member": 0.85,
            "best_member": 0.86,
            "independent": 0.85 + 2 * gain,
            "members": 6,
            "subsets": 6,
            "images": 10_000,
            "note": "",
        }
        for rule in ("average", "vote")
        for size, gain in ((1, 0.0), (2, 0.021), (4, 0.034), (6, 0.041))
    ]
