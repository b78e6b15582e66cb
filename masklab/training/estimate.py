"""What a training will take, before it begins: steps, time, and bytes on the disk; no torch here."""

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Any

from masklab import bits, pruners
from masklab.archive import codec
from masklab.training import counts

Row = Mapping[str, Any]

_FLOAT = 4

_DOCUMENT, _PER_TENSOR, _PER_LAYER, _PER_CLASS = 2150, 205, 125, 4
"""Bytes of a member file's header: always, per tensor, per layer and, beside its name, per class."""

_PER_VALUE = 21
"""Bytes of a number in the history."""

_FRAME = 10
"""Bytes that a compressed frame takes beside its content."""

_AGAIN, _TABLE = 1.75, 0.3
"""How many times the rate of a recycle event its weights are in the end: measured, since most of them are
overwritten again and again; and what a table of codes takes, in bits per weight and byte."""

_EVENTS = 1000
"""Events after which earlier ones have left hardly anything."""


def steps(record: Row, population: Row) -> int:
    """Steps of one member: epochs × steps of an epoch; none where nothing is trained.

    Args:
        record: The resolved study.
        population: Its entry there.
    """
    if not population["trained"]:
        return 0
    training = record["training"]
    return training["epochs"] * counts.steps_per_epoch(record["data"]["train"], training["batch_size"])


def cohort_steps(record: Row, cohort: Row) -> int:
    """Steps of all members of a cohort, which is always trained as a whole."""
    population = next(row for row in record["populations"] if row["name"] == cohort["population"])
    return len(cohort["indices"]) * steps(record, population)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Time until all tasks are done: the longest first, each by whoever is free first.

    Args:
        seconds: What each task takes.
        workers: How many take tasks side by side.

    Source: Graham, Bounds on Multiprocessing Timing Anomalies (1969): at most 4/3 of the best schedule.

    Examples:
        >>> makespan([3.0, 3.0, 2.0, 2.0, 2.0], 2), makespan([5.0, 1.0], 8), makespan([], 2)
        (7.0, 5.0, 0.0)
    """
    free_at = [0.0] * max(1, workers)
    for taken in sorted(seconds, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + taken)
    return max(free_at)


def training_seconds(rounds: Sequence[Sequence[float]], workers: int) -> float:
    """Time of rounds of cohorts: each begins when the one before it is done.

    Args:
        rounds: What each cohort takes, round by round.
        workers: See `makespan`.
    """
    return sum((makespan(own, workers) for own in rounds), 0.0)


def member_bytes(record: Row, population: Row) -> int:
    """Bytes of a member's file, about: masks at their entropy, everything else as it is stored.

    Args:
        record: The resolved study.
        population: Its entry there.
    """
    layers, trained = population["layers"], population["trained"]
    pruner, source = _pruner(record, population), _source(record, population)
    weights, masks = sum(layer["size"] for layer in layers), _mask_bytes(population)
    snapshots = [e for e in record["snapshots"] if e <= record["training"]["epochs"]] if trained else []
    origins = _origin_bytes(record, source)
    classes, tested = record["data"]["classes"], record["data"]["test"]
    values = _surrounding_values(record)
    scores = pruner.trains_scores and record["keep_scores"] == "final"
    held = _pruner(record, source).trains_weights
    tensors = 2 + len(values) + len(layers) * (1 + scores + held + bool(origins) + len(snapshots))
    curves = 2 if record["data"]["validation"] else 1
    header = (
        _DOCUMENT
        + _PER_TENSOR * tensors
        + _PER_LAYER * len(layers)
        + sum(_PER_CLASS + len(name.encode()) for name in classes)
        + (_PER_VALUE * curves * record["training"]["epochs"] if trained else 0)
    )
    predictions = tested * ((1 if len(classes) <= 256 else 2) + 2 * len(classes))
    floats = weights * (scores + held) + sum(values)
    return int(header + masks * (1 + len(snapshots)) + origins + predictions + _FLOAT * floats)


def checkpoint_bytes(record: Row, population: Row, members: int) -> int:
    """Bytes of the largest checkpoint of a cohort: all that training changes; 0 where nothing is trained.

    Args:
        record: The resolved study.
        population: Its entry there.
        members: Members of the cohort.
    """
    if not population["trained"]:
        return 0
    pruner, slots = _pruner(record, population), 2 if record["training"]["optimizer"] == "adam" else 1
    weights = sum(layer["size"] for layer in population["layers"])
    refreshed = pruner.refresh is not None
    kept = slots + pruner.trains_scores + refreshed + (refreshed or pruner.trains_weights)
    network = record["network"]
    learned = [math.prod(p["shape"]) for p in network["unmasked"] if _is_learned(p)]
    around = sum(learned) * (1 + slots) + sum(math.prod(b["shape"]) for b in network["buffers"])
    packed = sum(bits.packed_size(layer["size"]) for layer in population["layers"])
    return members * (_FLOAT * (weights * kept + around) + packed * len(record["snapshots"]))


def _pruner(record: Row, population: Row) -> pruners.Pruner:
    epochs = record["training"]["epochs"]
    return pruners.resolve(population["pruner"], population["options"], epochs, population["gate"])


def _source(record: Row, population: Row) -> Row:
    """The population whose base weights this one has."""
    of = population["options"].get("of")
    return population if of is None else next(row for row in record["populations"] if row["name"] == of)


def _mask_bytes(population: Row) -> float:
    """Frames of one mask."""
    density = population["density"]
    return sum(
        _FRAME + codec.entropy_bound(layer["size"], layer["kept"] or bits.kept_count(layer["size"], density))
        for layer in population["layers"]
    )


def _is_learned(parameter: Row) -> bool:
    return parameter["rule"].startswith("learned")


def _surrounding_values(record: Row) -> list[int]:
    """Values of each tensor beside the masked layers that a member file holds."""
    network = record["network"]
    stored = [p for p in network["unmasked"] if _is_learned(p) or p["rule"] == "constructed"]
    return [math.prod(row["shape"]) for row in (*stored, *network["buffers"])]


def _origin_bytes(record: Row, population: Row) -> float:
    """Frames that say where changed base weights came from."""
    pruner = _pruner(record, population)
    period = getattr(pruner.options, "period_steps", None)
    if pruner.refresh is None:
        return 0.0
    events = len(pruner.event_epochs(record["training"]["epochs"]))
    if period:
        events = steps(record, population) // period
    rate: float = getattr(pruner.options, "rate", 1.0)
    entropy = _event_bits if pruner.refresh.ORIGIN == "event" else _position_bits
    return sum(
        _FRAME + layer["size"] * entropy(events, rate, population["density"], layer["size"]) / 8
        for layer in population["layers"]
    )


def _event_bits(events: int, rate: float, density: float, size: int) -> float:
    """Bits per weight that tell the last event that drew it.

    A weight may be pruned and kept in turn; whether it always was the one or the other, this is at most what
    either takes.
    """
    last = [rate * (1 - rate) ** age for age in range(min(events, _EVENTS))]
    shares = (1.0, 1.0 - density)
    return max(_entropy([*(s * p for p in last), max(0.0, 1 - s * sum(last))]) for s in shares)


def _position_bits(events: int, rate: float, density: float, size: int) -> float:
    """Bits per weight that tell whose value it has: in each byte whether it has another's, and whose."""
    copied, place = min(1.0 - density, rate * min(events, _AGAIN)), math.log2(size + 1)
    return copied * place + math.ceil(place / 8) * (1.0 + _TABLE)


def _entropy(shares: Sequence[float]) -> float:
    """Bits per symbol of independent symbols with these probabilities."""
    return -sum(share * math.log2(share) for share in shares if share > 0)
