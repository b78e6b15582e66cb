"""Members and their places in the plane, in the columns that the explorer's script reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from masklab.report import load, numbers, records, style, text

Document = dict[str, Any]

SIDE = 10_000
"""Width and height of the square that points are placed in."""

_FRACTION = 6  # decimals of accuracies
_POINT = 1e-12  # what is smaller than that is one point
_NOISE = "cannot be told from random masks"


def populations(analysis: load.Analysis, theme: style.Theme) -> list[Document]:
    """What a member's population says of it, in the study's order; everything else refers to it by place."""
    return [
        {
            "name": population.name,
            "pruner": population.pruner,
            "density": numbers.density(population.density),
            "colour": theme.colours[population.name],
        }
        for population in analysis.results.populations
    ]


def members(analysis: load.Analysis) -> Document:
    """Every stored member, one list per property; everything else refers to members by place."""
    stored = list(analysis.members.values())
    places = {name: place for place, name in enumerate(analysis.names)}
    return {
        "id": [member.id for member in stored],
        "population": [places[member.population] for member in stored],
        "draw": [member.block for member in stored],
        "index": [member.index for member in stored],
        "accuracy": [
            None if member.accuracy is None else round(member.accuracy, _FRACTION) for member in stored
        ],
    }


def embeddings(analysis: load.Analysis) -> list[Document]:
    """Every embedding that has points, with that of its random twin."""
    known = {name: place for place, name in enumerate(analysis.members)}
    return [
        {
            "method": row.method,
            "name": text.embedding(row.method),
            "members": _plane(row.points, row.explained, known)
            | ({"meaning": _NOISE} if row.distinguishable is False else {}),
            "twin": _plane(row.twin.points, row.twin.explained, known)
            if row.twin and row.twin.points
            else None,
        }
        for row in analysis.results.embeddings
        if row.points
    ]


def _plane(
    points: Sequence[records.Point],
    explained: Sequence[float | None] | None,
    known: dict[str, int],
) -> Document:
    """Points in a square, as large as they fit with equal units on both axes."""
    given = np.array([[point.x, point.y] for point in points])
    low, high = given.min(0), given.max(0)
    extent = float((high - low).max())
    scale = SIDE / extent if extent > _POINT else 0.0
    placed = np.rint((given - (low + high) / 2.0) * scale + SIDE / 2.0).astype(int)
    return {
        "member": [known[point.id] for point in points],
        "x": placed[:, 0].tolist(),
        "y": placed[:, 1].tolist(),
        "meaning": _meaning(explained),
    }


def _meaning(explained: Sequence[float | None] | None) -> str:
    """What the axes mean: shares of the inertia, where there are any."""
    across, up = [*(explained or ()), None, None][:2]
    if across is None or up is None:
        return "the axes have no meaning"
    return f"{numbers.percent(across, 1)} % of the inertia across, {numbers.percent(up, 1)} % up"
