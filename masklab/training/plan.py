"""The plan: what is fixed before the first step, so that a resumed study repeats the same bytes."""

from importlib import metadata
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, get_args

from masklab.archive import directory, files
from masklab.errors import ArchiveError, ConfigError
from masklab.training import choice

SCHEMA = 1

COHORT_MEMBERS = {"cpu": 6, "cuda": 64}
"""Most members trained in one batch, by device kind; on a CPU several cohorts run side by side."""

_STATE_BYTES = 4 * 8
"""Bytes per weight and member: score, momentum, base and effective weight, gradient, origin, ranking."""

_ACTIVATION_BYTES = 4 * 3
"""Bytes per output, image and member: the output, what the activation makes of it, a gradient."""

_MEMORY_BYTES = {"cpu": 2**30, "cuda": 2**33}
"""Memory that one cohort may take."""


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
    plan = _checked(path) if path.exists() else _fresh(record, device or "cpu")
    if device and plan["device"] != device:
        raise ConfigError(
            f"{path} was made for device {plan['device']!r}, now {device!r}: masks would differ; "
            f"give --device {plan['device']} or another --out"
        )
    planned = [(cohort["population"], index) for cohort in plan["cohorts"] for index in cohort["indices"]]
    covered, members = set(planned), {p["name"]: p["members"] for p in record["populations"]}
    if len(covered) < len(planned) or any(
        type(index) is not int or not 0 <= index < members.get(name, 0) for name, index in planned
    ):
        raise ArchiveError(f"{path} names members that the study does not have, or one of them twice")
    largest = cohort_members(record, plan["device"])
    for population in record["populations"]:
        name = population["name"]
        new = [index for index in range(population["members"]) if (name, index) not in covered]
        plan["cohorts"] += [
            {"id": f"{name}-{group[0]:04d}", "population": name, "indices": group}
            for group in _groups(new, largest)
        ]
    return plan


_FIELDS = {"schema": int, "engine": str, "device": str, "threads": int, "torch": str, "cohorts": list}


def _checked(path: Path) -> dict[str, Any]:
    plan = files.read_json(path)
    files.require(plan, _FIELDS, path)
    for cohort in plan["cohorts"]:
        files.require(cohort, {"id": str, "population": str, "indices": list}, path)
    if (
        plan["schema"] != SCHEMA
        or plan["device"] not in COHORT_MEMBERS
        or plan["threads"] < 1
        or plan["engine"] not in get_args(choice.Engine)
    ):
        raise ArchiveError(f"{path} is not a plan of this masklab")
    return plan


def cautions(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Warnings about what may keep new members from matching old ones bit for bit."""
    here = metadata.version("torch")
    if plan["torch"] == here:
        return []
    text = (
        f"the plan was made with torch {plan['torch']}, members are trained now with {here}: bits may differ"
    )
    return [{"code": "torch-version", "text": text, "where": "plan.json"}]


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
    """Most members of one cohort: the device kind's number, or fewer where they need much memory.

    Counted per member: its state, and under `vmap` the outputs of every layer for a batch (convolutions at
    the size of the image, an upper bound where the network pools), kept for the backward pass.
    """
    layers = record["network"]["layers"]
    needed = _STATE_BYTES * sum(layer["size"] for layer in layers)
    if choice.engine(record, device) == "vmap":
        _, height, width = record["data"]["input_shape"]
        outputs = sum(
            layer["shape"][0] * (height * width if len(layer["shape"]) == 4 else 1) for layer in layers
        )
        needed += _ACTIVATION_BYTES * outputs * record["training"]["batch_size"]
    return max(1, min(COHORT_MEMBERS[device], _MEMORY_BYTES[device] // needed))


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
