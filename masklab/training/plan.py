"""The plan: what is fixed before the first step, so that a resumed study repeats the same bytes."""

from importlib import metadata
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from masklab.archive import directory, files
from masklab.errors import ArchiveError, ConfigError
from masklab.training import choice

SCHEMA = 1

COHORT_MEMBERS = {"cpu": 6, "cuda": 64}
"""Most members trained in one batch, by device kind; on a CPU several cohorts run side by side."""

_STATE_BYTES = 4 * 6
"""Bytes per weight and member: score, momentum, base and effective weight, gradient, ranking."""

_MEMORY_BYTES = {"cpu": 2**30, "cuda": 2**33}
"""Memory that one cohort's state may take."""


def read_or_make(out: Path, record: dict[str, Any], device: str | None) -> dict[str, Any]:
    """The directory's plan, extended by cohorts for members that it does not cover yet.

    Args:
        out: The study's directory.
        record: The resolved study.
        device: `"cpu"` or `"cuda"` where the user asked for one, None for whatever the plan says.

    Raises:
        ConfigError: The plan was made for another kind of device.
        ArchiveError: `plan.json` is not a plan.
    """
    path = out / directory.PLAN
    plan = files.read_json(path) if path.exists() else _fresh(record, device or "cpu")
    if (
        not isinstance(plan, dict)
        or not isinstance(plan.get("cohorts"), list)
        or plan.get("schema") != SCHEMA
    ):
        raise ArchiveError(f"{path} is not a plan of this masklab")
    if device and plan["device"] != device:
        raise ConfigError(
            f"{path} was made for device {plan['device']!r}, now {device!r}: masks would differ; "
            f"give --device {plan['device']} or another --out"
        )
    covered = {(cohort["population"], index) for cohort in plan["cohorts"] for index in cohort["indices"]}
    largest = cohort_members(record, plan["device"])
    for population in record["populations"]:
        name = population["name"]
        new = [index for index in range(population["members"]) if (name, index) not in covered]
        plan["cohorts"] += [
            {"id": f"{name}-{group[0]:04d}", "population": name, "indices": group}
            for group in _groups(new, largest)
        ]
    return plan


def _fresh(record: dict[str, Any], device: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "engine": choice.engine(record, device),
        "precision": "fp32",
        "device": device,
        "threads": 1 if device == "cpu" else 4,
        "torch": metadata.version("torch"),
        "cohorts": [],
    }


def cohort_members(record: dict[str, Any], device: str) -> int:
    """Most members of one cohort: the device kind's number, or fewer where their state is large."""
    weights = sum(layer["size"] for layer in record["network"]["layers"])
    fitting = _MEMORY_BYTES[device] // (_STATE_BYTES * weights)
    return max(1, min(COHORT_MEMBERS[device], fitting))


def _groups(indices: list[int], largest: int) -> list[list[int]]:
    """Consecutive groups of nearly equal size, none above `largest`.

    Examples:
        >>> _groups([0, 1, 2, 3, 4, 5, 6, 7], 6)
        [[0, 1, 2, 3], [4, 5, 6, 7]]
    """
    if not indices:
        return []
    number = ceil(len(indices) / largest)
    bounds = [len(indices) * part // number for part in range(number + 1)]
    return [indices[begin:end] for begin, end in pairwise(bounds)]
