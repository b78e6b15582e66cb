"""What is stored of a foreign file: a population's entry in the study, and its members."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from masklab.archive import description, encoding, files, places
from masklab.archive.exchange.fitting import Fitted, Read, Shapes
from masklab.archive.exchange.source import Found
from masklab.errors import ArchiveError

PRUNER = "imported"
"""What the pruner of a population is called that was not trained here."""

UNKNOWN = ("seeds", "accuracy", "predictions", "data", "network", "training")
"""What no foreign file says in a way that could be checked."""

WHOLE, KEPT, NONE = "whole", "kept", "none"
"""How much is known of base weights: all of them, those that are kept, none."""

_RUNNING = ("running_mean", "running_var")

_NAME_AT_MOST = 255


@dataclass(frozen=True)
class Gates:
    """What has to be known of gates, which are above this package.

    Attributes:
        plain: The gate under which kept weights act as they are.
        gains: (gate, weights, masks) → layer name → gain, for gates that have one.
    """

    plain: str
    gains: Callable[
        [str, Mapping[str, Float32[np.ndarray, "..."]], Mapping[str, Bool[np.ndarray, "..."]]],
        dict[str, float],
    ]


def known_weights(found: Found) -> str:
    """How much a file says of base weights: `WHOLE`, `KEPT` or `NONE`."""
    if set(found.weights) != set(found.masks):
        return NONE
    return WHOLE if found.whole else KEPT


def file_name(place: files.Location) -> str:
    """Name of a file, without its folders and what only a URL has, that can be written in UTF-8."""
    return places.file_name(place).encode(errors="backslashreplace").decode()


def entry(
    read: Read, name: str, density: float, listed: Sequence[Mapping[str, str]], shapes: Shapes, gates: Gates
) -> dict[str, Any]:
    """A population's entry in `study.json`, but for its digest.

    Args:
        read: One of its files.
        name: Its name.
        density: Fraction kept, as asked or as found.
        listed: Name and SHA-256 of each file.
        shapes: Its layers.
        gates: What is known of gates.
    """
    return {
        "name": name,
        "pruner": PRUNER,
        "gate": read.found.gate or gates.plain,
        "refresh": None,
        "control": None,
        "density": density,
        "options": {},
        "overrides": {},
        "trained": False,
        "compared": True,
        "members": len(listed),
        "layers": [
            {"name": layer, "size": math.prod(shape), "kept": None} for layer, shape in shapes.items()
        ],
        "imported": {
            "format": read.format,
            "weights": known_weights(read.found),
            "files": list(listed),
            "unknown": list(UNKNOWN),
        },
    }


def member(fitted: Fitted, population: Mapping[str, Any], index: int, gates: Gates) -> encoding.Content:
    """A member of a foreign file.

    Args:
        fitted: The file.
        population: The entry of its population.
        index: Its index there.
        gates: What is known of gates.

    Raises:
        ArchiveError: A parameter's name is not allowed.
    """
    found, read = fitted.found, fitted.read
    known = known_weights(found)
    base = found.weights if known != NONE else {}
    parameters, buffers, left_out = _rest(read, found)
    copied = ("pruner", "gate", "refresh", "control", "options", "density", "overrides")
    facts = {
        **{key: population[key] for key in copied},
        "population": population["name"],
        "index": index,
        "levels": {},
        "recipe_digest": None,
        "population_digest": population["digest"],
        "accuracy": {"test": None, "validation": None, "best": None, "n_test": 0, "n_validation": 0},
        "history": {"loss": [], "validation": []},
        "events": [],
        "imported": {
            "format": read.format,
            "file": file_name(read.place),
            "sha256": read.sha256,
            "weights": known,
            "tensors": fitted.tensors,
            "shapes": fitted.shapes,
            "renamed": fitted.renamed,
            "reported": dict(read.foreign.reported),
            "left_out": left_out,
            "unknown": list(UNKNOWN),
        },
    }
    return encoding.Content(
        facts=facts,
        recipe=None,
        masks=found.masks,
        gains=gates.gains(population["gate"], base, found.masks) if base else {},
        base=base,
        origin_kind=description.STORED if base else None,
        scores=found.scores,
        parameters=parameters,
        buffers=buffers,
    )


def _rest(read: Read, found: Found) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[str]]:
    """Parameters, running statistics, and the names of what a member file does not hold."""
    parameters: dict[str, np.ndarray] = {}
    buffers: dict[str, np.ndarray] = {}
    left_out = []
    for name, array in found.rest.items():
        if not (0 < len(name) <= _NAME_AT_MOST and name.isprintable() and "/" not in name):
            raise ArchiveError(
                f"{read.place}: array name {name!r:.80}; 1 to {_NAME_AT_MOST} printable characters, no slash"
            )
        if array.dtype.kind != "f" or name.removesuffix(".weight") in found.masks:
            left_out.append(name)
        else:
            kind = buffers if name.rpartition(".")[2] in _RUNNING else parameters
            kind[name] = array.astype(np.float32, copy=False)
    return parameters, buffers, left_out
