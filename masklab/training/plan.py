"""The plan: what is fixed before the first step, so that a resumed study repeats the same bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from math import ceil
from typing import Any, get_args

from masklab import parallel
from masklab.archive import directory, files
from masklab.errors import ArchiveError, ConfigError, unknown
from masklab.training import choice, memory
from masklab.training import device as devices

SCHEMA = 2

COHORT_MEMBERS = {"cpu": 6, "cuda": 64}
"""Most members trained in one batch, by device kind; on a CPU several cohorts run side by side."""

Measure = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""(resolved study, plan without a measurement) → what was measured (see `training.measure`).

It may hold `memory_bytes`, the free memory where it was measured; else that of this machine is taken.
"""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; None or `"auto"`: whatever the plan says, or is best.

    Attributes:
        device: `"cpu"` or `"cuda"`.
        engine: `"vmap"`, `"loop"` or `"auto"`.
        precision: `"fp32"` or `"bf16"`; a new plan without a wish uses fp32.
        threads: Processor threads of a cohort; a new plan without a wish uses one on a CPU.
    """

    device: str | None = None
    engine: str = "auto"
    precision: str | None = None
    threads: int | None = None

    def check(self) -> None:
        """Raise a ConfigError for a wish that does not exist."""
        engines = ("auto", *get_args(choice.Engine))
        if self.engine not in engines:
            raise ConfigError(unknown("engine", self.engine, engines))
        if self.precision is not None and self.precision not in get_args(choice.Precision):
            raise ConfigError(unknown("precision", self.precision, get_args(choice.Precision)))


def read_or_make(
    out: files.Location, record: dict[str, Any], wishes: Wishes, measure: Measure
) -> dict[str, Any]:
    """The directory's plan, extended by cohorts for members that it does not cover yet.

    Args:
        out: The study's directory.
        record: The resolved study.
        wishes: What the user asked for.
        measure: Called once for a new plan.

    Raises:
        ConfigError: The plan was made for another device, engine or precision; or not one member fits into
            the memory.
        ArchiveError: `plan.json` is not a plan.
    """
    path = out / directory.PLAN
    plan = checked(path) if files.exists(path) else _fresh(record, wishes, measure)
    asked = {"device": wishes.device, "engine": wishes.engine}
    asked |= {"precision": wishes.precision, "threads": wishes.threads}
    for field, wish in asked.items():
        if wish not in (None, "auto", plan[field]):
            raise ConfigError(
                f"{path} was made for {field} {plan[field]!r}, now {wish!r}: masks would differ; "
                f"give --{field} {plan[field]} or another --out"
            )
    planned = [(cohort["population"], index) for cohort in plan["cohorts"] for index in cohort["indices"]]
    covered, members = set(planned), {p["name"]: p["members"] for p in record["populations"]}
    if len(covered) < len(planned) or any(
        type(index) is not int or not 0 <= index < members.get(name, 0) for name, index in planned
    ):
        raise ArchiveError(f"{path} names members that the study does not have, or one of them twice")
    for population in record["populations"]:
        if "imported" in population:  # nothing is trained there
            continue
        name = population["name"]
        largest = _cohort_members(record, population, plan)
        new = [index for index in range(population["members"]) if (name, index) not in covered]
        plan["cohorts"] += [
            {"id": f"{name}-{group[0]:04d}", "population": name, "indices": group}
            for group in _groups(new, largest)
        ]
    return plan


SETTLED = ("engine", "precision", "device", "threads", "torch")
"""Fields of a plan that members depend on, bit for bit, beside who shares their cohort."""

_FIELDS = {
    "schema": int,
    "engine": str,
    "precision": str,
    "device": str,
    "threads": int,
    "torch": str,
    "measured": dict,
    "memory_bytes": int,
    "cohorts": list,
}


def checked(path: files.Location) -> dict[str, Any]:
    """A stored plan.

    Raises:
        ArchiveError: It is missing or no plan.
    """
    plan = files.read_json(path)
    if isinstance(plan, dict) and plan.get("schema") == 1:
        raise ArchiveError(f"{path} is of an older masklab, which did not measure; give another --out")
    files.require(plan, _FIELDS, path)
    for cohort in plan["cohorts"]:
        files.require(cohort, {"id": str, "population": str, "indices": list}, path)
    if (
        plan["schema"] != SCHEMA
        or plan["device"] not in COHORT_MEMBERS
        or plan["threads"] < 1
        or plan["engine"] not in get_args(choice.Engine)
        or plan["precision"] not in get_args(choice.Precision)
    ):
        raise ArchiveError(f"{path} is not a plan of this masklab")
    return plan


def cautions(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Warnings about what may keep new members from matching old ones, or make them slow."""
    found, here = [], metadata.version("torch")
    if plan["torch"] != here:
        text = f"the plan was made with torch {plan['torch']}, now it is {here}: bits may differ"
        found.append({"code": "torch-version", "text": text, "where": "plan.json"})
    if plan["precision"] == "bf16" and plan["device"] == "cpu" and not devices.multiplies_bf16():
        text = "precision bf16 on a processor without bf16 arithmetic is slower than fp32"
        found.append({"code": "slow-precision", "text": text, "where": "plan.json"})
    return found


def _fresh(record: dict[str, Any], wishes: Wishes, measure: Measure) -> dict[str, Any]:
    device = wishes.device or "cpu"
    plan: dict[str, Any] = {
        "schema": SCHEMA,
        "engine": wishes.engine,
        "precision": wishes.precision or "fp32",
        "device": device,
        "threads": wishes.threads or (1 if device == "cpu" else 4),
        "torch": metadata.version("torch"),
    }
    rule = choice.expected(record, device)
    measured = dict(measure(record, plan))
    free = measured.pop("memory_bytes", None) or memory.available(device)
    plan["engine"] = choice.engine(rule, measured["seconds"]) if wishes.engine == "auto" else wishes.engine
    return {**plan, "measured": measured, "memory_bytes": free, "cohorts": []}


def _cohort_members(record: dict[str, Any], population: dict[str, Any], plan: dict[str, Any]) -> int:
    """Most members of one cohort: the device kind's number, or fewer where they would not fit.

    Raises:
        ConfigError: Not one member fits.
    """
    device, own = plan["device"], need(record, population, plan)
    beside = 1 if device == "cuda" else max(1, parallel.cores() // plan["threads"])
    fitting = own.largest(plan["memory_bytes"] // beside) or min(1, own.largest(plan["memory_bytes"]))
    if not fitting:
        raise ConfigError(
            f"one member of population {population['name']!r} takes about {own.of(1) / 2**30:.1f} GiB, "
            f"{plan['memory_bytes'] / 2**30:.1f} GiB are free; give a smaller training.batch_size or network"
        )
    return min(COHORT_MEMBERS[device], fitting)


def need(record: dict[str, Any], population: dict[str, Any], plan: dict[str, Any]) -> memory.Need:
    """What a cohort of a population takes, whatever its size."""
    return memory.need(
        sum(layer["size"] for layer in record["network"]["layers"]),
        2 if record["training"]["optimizer"] == "adam" else 1,  # as in `optimizer`, without torch
        population["refresh"] is not None,
        plan["measured"]["activation_bytes"],
        plan["precision"],
        plan["engine"] == "vmap",
    )


def fitting_workers(record: dict[str, Any], plan: dict[str, Any], asked: int) -> int:
    """Worker processes whose cohorts fit into the memory side by side: 1 to those asked for."""
    largest = max(
        (
            need(record, population, plan).of(len(cohort["indices"]))
            for population in record["populations"]
            for cohort in plan["cohorts"]
            if cohort["population"] == population["name"]
        ),
        default=1,
    )
    return max(1, min(asked, plan["memory_bytes"] // largest))


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
