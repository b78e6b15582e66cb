"""Accuracy of each population: mean over members with a t interval, spread, extremes."""

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
            population["name"],
            metric,
            [row for row in members if row["population"] == population["name"]],
            tested,
        )
        for population in populations
        for metric in METRICS
    ]


def _row(name: str, metric: str, members: list[dict[str, Any]], tested: int) -> dict[str, Any]:
    known = [row for row in members if row[metric] is not None]
    values = [row[metric] for row in known]
    n = len(values)
    sd = statistics.stdev(values) if n > 1 else math.nan
    mean = statistics.fmean(values) if values else math.nan
    half = estimates.t_quantile(n - 1) * sd / math.sqrt(n) if n > 1 else math.nan
    draws = len({row["block"] for row in known})
    why = (
        "an interval needs at least 2 members; there is 1"
        if values
        else f"no stored member has a {metric.replace('_', ' ')} (untrained, or without a validation split)"
    )
    on_test = metric != "validation_accuracy" and tested > 0
    row = {
        "population": name,
        "metric": metric,
        "sd": estimates.number(sd),
        "sampling_sd": estimates.number(math.sqrt(mean * (1 - mean) / tested)) if on_test else None,
        "min": min(values, default=None),
        "max": max(values, default=None),
        "estimate": estimates.estimate(
            mean, mean - half, mean + half, method=_method(n, draws), n=n, why=why if n < 2 else ""
        ),
    }
    return {**row, "why": why} if n < 2 else row


def _method(n: int, draws: int) -> str:
    method = "mean over members, t interval with n − 1 degrees of freedom"
    if n < 2:
        return method
    if draws == n:
        return f"{method}; every member has its own draw of base weights"
    drawn = "1 draw" if draws == 1 else f"{draws} draws"
    return f"{method}; members share {drawn} of base weights and are not independent; it holds for these"
