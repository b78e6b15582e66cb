"""Accuracy of each population: mean over members with its interval, spread, extremes."""

import math
import statistics
from typing import Any

from masklab.analysis import estimates

METRICS = ("accuracy", "best_epoch_accuracy", "validation_accuracy")
"""Test accuracy at the last epoch, test accuracy at the best validation epoch, validation accuracy."""


def rows(
    populations: list[dict[str, Any]], members: list[dict[str, Any]], tested: int
) -> list[dict[str, Any]]:
    """One row per population and metric: sd (n − 1), min, max as fractions, and the mean's estimate.

    Args:
        populations: Rows of `populations`.
        members: Rows of `members`.
        tested: Number of test images.
    """
    return [
        _row(
            population,
            metric,
            [row for row in members if row["population"] == population["name"]],
            tested,
        )
        for population in populations
        for metric in METRICS
    ]


def _row(
    population: dict[str, Any], metric: str, members: list[dict[str, Any]], tested: int
) -> dict[str, Any]:
    known = [row for row in members if row[metric] is not None]
    values = [row[metric] for row in known]
    measured = metric.replace("_", " ")
    absent = f"no stored member has a {measured} (untrained, or without a validation split)"
    if population.get("imported"):
        absent = f"{measured} is unknown (imported)"
    estimate = estimates.mean_over_members(
        values,
        len({row["block"] for row in known}),
        absent=absent,
        limits=estimates.SHARE,
    )
    on_test = metric != "validation_accuracy" and tested > 0 and values
    mean = estimate["value"] if on_test else math.nan
    row = {
        "population": population["name"],
        "metric": metric,
        "sd": estimates.number(statistics.stdev(values)) if len(values) > 1 else None,
        "sampling_sd": estimates.number(math.sqrt(mean * (1 - mean) / tested)) if on_test else None,
        "min": min(values, default=None),
        "max": max(values, default=None),
        "estimate": estimate,
    }
    return {**row, "why": estimate["why"]} if "why" in estimate else row
