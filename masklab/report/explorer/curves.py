"""Accuracy on straight lines between members, from the table that `results.json` has only means of."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from masklab.archive import directory as layout
from masklab.archive import files
from masklab.errors import ArchiveError
from masklab.report import load
from masklab.report.explorer import data

FILE = "interpolation.csv"

MOST = 400
"""Curves that are drawn."""

_ENDS = ("member_a", "member_b")
_KIND = ("a", "b", "block", "seed")
_TYPES: Any = {
    **dict.fromkeys((*_ENDS, *_KIND, "path", "split"), "str"),
    "order": "int64",
    "t": "float64",
    "accuracy": "float64",
}
_DECIMALS = 5

_Walk = list[tuple[float, float]]
"""Position and accuracy, point by point."""

_Line = tuple[tuple[str, str], _Walk]
"""Members at the ends, and the walk."""


@dataclass(frozen=True)
class Curves:
    """Walks on straight lines.

    Attributes:
        document: What the script gets: of each curve its ends' places, positions, accuracies and barrier.
        shown: Number of curves in it.
        measured: Number of curves in the table.
        kinds: Number of kinds of pairs: two populations, same or other weight draw, same or other seed.
        low: Smallest accuracy that is drawn.
        high: Largest accuracy that is drawn.
    """

    document: data.Document
    shown: int
    measured: int
    kinds: int
    low: float
    high: float


def read(analysis: load.Analysis) -> Curves | str:
    """At most `MOST` of the measured curves, evenly over kinds of pairs; or why there is none.

    A table that cannot be read costs the page its curves alone, so that is a reason too.
    """
    path = analysis.directory / layout.ANALYSIS / FILE
    if not files.exists(path):
        return f"the analysis holds no {FILE}"
    try:
        kinds = _lines(files.read(path))
        lines = _evenly(list(kinds.values()))
        document = _document(lines, {name: place for place, name in enumerate(analysis.members)})
    except (ArchiveError, ValueError) as error:
        return f"{FILE} is damaged ({str(error).splitlines()[0]})"
    if not lines:
        return f"{FILE} holds no straight line on test images"
    accuracies = [value for _, walk in lines for _, value in walk]
    measured = sum(map(len, kinds.values()))
    return Curves(document, len(lines), measured, len(kinds), min(accuracies), max(accuracies))


def _lines(content: bytes) -> dict[tuple[str, ...], list[_Line]]:
    """Straight lines between members, on test images, by kind of pair, as the table lists them.

    Raises:
        ValueError: A column is missing, or is not what it should be.
    """
    import pandas as pd

    try:
        table = pd.read_csv(io.BytesIO(content), usecols=list(_TYPES), dtype=_TYPES, keep_default_na=False)
    except ValueError as error:  # what pandas says differs between its versions
        raise ValueError("its columns are not those of an analysis") from error
    table = table.loc[(table["path"] == "linear") & (table["split"] == "test")]
    walked = np.array([table["t"], table["accuracy"]]).T
    if not ((walked >= 0.0) & (walked <= 1.0)).all():
        raise ValueError("t or an accuracy is not between 0 and 1")
    walks: dict[tuple[str, ...], _Walk] = {}
    parts = [table[name].tolist() for name in (*_KIND, *_ENDS, "order")]
    for key, point in zip(zip(*parts, strict=True), walked.round(_DECIMALS).tolist(), strict=True):
        walks.setdefault(key, []).append(tuple(point))
    kinds: dict[tuple[str, ...], list[_Line]] = {}
    for (*kind, first, second, _), walk in walks.items():
        kinds.setdefault(tuple(kind), []).append(((_literal(first), _literal(second)), sorted(walk)))
    return kinds


def _literal(name: str) -> str:
    """A name without the mark that keeps a spreadsheet from reading a formula."""
    return name[1:] if name[:2] in {"'=", "'@"} else name


def _evenly(kinds: Sequence[Sequence[_Line]]) -> list[_Line]:
    """At most `MOST` lines: the first of every kind, then the second, and so on; in the order of kinds."""
    turns = [(turn, kind) for kind, lines in enumerate(kinds) for turn in range(len(lines))]
    chosen = sorted(sorted(turns)[:MOST], key=lambda place: (place[1], place[0]))
    return [kinds[kind][turn] for turn, kind in chosen]


def _document(lines: Sequence[_Line], known: Mapping[str, int]) -> data.Document:
    """Columns of the lines.

    Raises:
        ValueError: One names a member that is not stored, or does not go from one to the other.
    """
    for ends, walk in lines:
        if missing := [name for name in ends if name not in known]:
            raise ValueError(f"{missing[0]} is not a stored member")
        if len(walk) < 2 or walk[0][0] != 0.0 or walk[-1][0] != 1.0:
            raise ValueError(f"the line from {ends[0]} to {ends[1]} does not reach both")
    return {
        "first": [known[first] for (first, _), _ in lines],
        "second": [known[second] for (_, second), _ in lines],
        "t": [[t for t, _ in walk] for _, walk in lines],
        "accuracy": [[accuracy for _, accuracy in walk] for _, walk in lines],
        "barrier": [_barrier(walk) for _, walk in lines],
    }


def _barrier(walk: _Walk) -> float:
    """By how much the error exceeds the straight line between those of the ends, at most.

    Source:
        Entezari et al. (2022), The Role of Permutation Invariance in Linear Mode Connectivity of Neural
        Networks, definition 1.
    """
    t, accuracy = np.array(walk).T
    line = (1.0 - t) * accuracy[0] + t * accuracy[-1]
    return round(float((line - accuracy).max()), _DECIMALS)
