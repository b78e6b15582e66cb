"""Synthetic studies at several densities and widths, on several networks, made from one analysis."""

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from masklab.report import load, models

from .. import variants

Row = dict[str, Any]
DENSITIES = (0.02, 0.05, 0.1, 0.3, 0.5)
KEPT = ("overlap", "stability", "landscape")
"""Lists whose rows are of populations, beside those that `variants.clear` keeps."""


def analysis(results: Row) -> load.Analysis:
    """Results as they are read, without distances."""
    document = {**results, "schema_version": load.SCHEMA}
    return load.Analysis(Path(results["study"]["name"]), models.Results.model_validate(document), None)


def add_control(results: Row, name: str, pruner: str, **options: Any) -> None:
    """Add an untrained control with the numbers of the first population."""
    first = results["populations"][0]
    results["populations"].append(
        {
            **first,
            "name": name,
            "pruner": pruner,
            "control": pruner,
            "trained": False,
            "options": options,
            "overrides": {},
        }
    )
    results["study"]["populations"].append({"name": name, "digest": "cc" * 32})
    for key in ("members", "accuracy", "overlap", "stability", "landscape"):
        for row in [row for row in results[key] if row.get("population", row.get("a")) == first["name"]]:
            if row.get("b", first["name"]) == first["name"]:
                again = copy.deepcopy(row)
                again.update({field: name for field in ("population", "a", "b") if field in row})
                if "id" in again:
                    again["id"] = f"{name}/{again['index']:04d}"
                results[key].append(again)


def reached(top: float, density: float) -> float:
    """Accuracy that falls with the density, and faster the less is kept."""
    return max(0.1, top - 0.05 * math.log(0.5 / density) ** 2)


def spread(results: Row, densities: Sequence[float]) -> Row:
    """The same study with each compared population at each density, whatever that of the original is."""
    found = copy.deepcopy(results)
    variants.clear(found, *KEPT)
    compared = [row["name"] for row in found["populations"] if row["compared"]]
    named = {
        name: [(f"{name.rpartition('-d')[0]}-d{density:g}", density) for density in densities]
        for name in compared
    }
    found["populations"] = [row for row in found["populations"] if not row["compared"]] + [
        {**row, "name": name, "density": density}
        for row in found["populations"]
        if row["compared"]
        for name, density in named[row["name"]]
    ]
    found["study"]["populations"] = [
        {"name": row["name"], "digest": f"{place:02d}" * 32} for place, row in enumerate(found["populations"])
    ]
    for key, change in _CHANGES.items():
        rows = []
        for row in found[key]:
            own = row.get("population", row.get("a"))
            if row.get("b", own) != own or row.get("layer", "whole") != "whole":
                continue
            if own not in named:
                rows.append(row)
            for name, density in named.get(own, []):
                again = copy.deepcopy(row)
                again.update({field: name for field in ("population", "a", "b") if field in row})
                change(again, density)
                rows.append(again)
        found[key] = rows
    return found


def move(estimate: Row, to: float) -> None:
    """The same interval around another value."""
    if estimate["value"] is not None:
        for end in ("low", "high"):
            if estimate[end] is not None:
                estimate[end] += to - estimate["value"]
        estimate["value"] = to


def _member(row: Row, density: float) -> None:
    row["id"] = f"{row['population']}/{row['index']:04d}"
    if row["accuracy"] is not None:
        row["accuracy"] = reached(row["accuracy"], density)


def _accuracy(row: Row, density: float) -> None:
    if row["estimate"]["value"] is not None:
        move(row["estimate"], reached(row["estimate"]["value"], density))


def _overlap(row: Row, density: float) -> None:
    if row["metric"] == "jaccard_similarity":
        row["chance"] = density / (2.0 - density)
        move(row["estimate"], row["chance"] + 0.1 * (1.0 - row["chance"]))
    elif row["metric"] == "chance_corrected":
        move(row["estimate"], row["estimate"]["value"] * 2.0 * density)


def _stability(row: Row, density: float) -> None:
    move(row["estimate"], 2.0 * density * row["estimate"]["value"])


def _landscape(row: Row, density: float) -> None:
    found = row["barrier"]["entezari_error"]
    move(found, (found["value"] or 0.0) * (1.3 - 0.6 * density))


_CHANGES: dict[str, Callable[[Row, float], None]] = {
    "members": _member,
    "accuracy": _accuracy,
    "overlap": _overlap,
    "stability": _stability,
    "landscape": _landscape,
}


def other(results: Row, name: str, **changes: Any) -> Row:
    """Another study like this one.

    Args:
        results: What it is made from.
        name: Of the study.
        changes: `width`, `network`, `data`, `accuracy` (added to all), or a setting of the training.
    """
    found = copy.deepcopy(results)
    study = found["study"]
    study["name"] = name
    lift = changes.pop("accuracy", 0.0)
    for row in found["accuracy"]:
        if row["estimate"]["value"] is not None:
            move(row["estimate"], row["estimate"]["value"] + lift)
    if "width" in changes:
        study["network"]["width"] = changes.pop("width")
        for layer in study["network"]["layers"]:
            layer["size"] = int(layer["size"] * study["network"]["width"])
    if "network" in changes:
        study["network"]["name"] = changes.pop("network")
        study["network"]["layers"] = study["network"]["layers"][1:]
    if "data" in changes:
        study["data"]["name"] = changes.pop("data")
        study["data"]["digest"] = "d5" * 32
    study["training"].update(changes)
    return found
