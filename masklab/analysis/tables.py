"""The rows of `results.json` as tables, one CSV file each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masklab.archive import files

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

ALWAYS = ("members", "overlap", "embeddings")
"""Tables that are written even without rows."""

NAMES = (
    "members",
    "accuracy",
    "overlap",
    "stability",
    "spread",
    "sums",
    "consensus",
    "tests",
    "clusters",
    "structure",
    "function",
    "ensembles",
    "scatter",
    "diversity",
    "rarefaction",
    "movement",
    "settling",
)
"""Keys of `results.json` that are tables as they are."""


def write(folder: files.Location, results: Row, interpolation: Sequence[Mapping[str, Any]]) -> None:
    """Write every table that has rows, and remove older ones that have none any more.

    Args:
        folder: The `analysis` folder.
        results: All of `results.json`.
        interpolation: Rows of `interpolation.csv`.

    Raises:
        ArchiveError: The file system refuses.
    """
    import pandas as pd

    contents: dict[str, Sequence[Mapping[str, Any]]] = {name: results[name] for name in NAMES}
    contents |= {"embeddings": _points(results["embeddings"]), "interpolation": interpolation}
    for name, rows in contents.items():
        path = folder / f"{name}.csv"
        if rows or name in ALWAYS:
            _write(path, pd.DataFrame([flat(row) for row in rows]))
        else:
            files.remove(path)


def flat(row: Mapping[str, Any]) -> Row:
    """A row as one line: an estimate gives its own columns, whatever else is nested gives `<name>_<part>`.

    Examples:
        >>> flat({"a": 1, "estimate": {"value": 0.5, "n": 2}, "null": {"mean": 0.0}, "limits": None})
        {'a': 1, 'value': 0.5, 'n': 2, 'null_mean': 0.0, 'limits': None}
    """
    found: Row = {}
    for key, value in row.items():
        if not isinstance(value, Mapping):
            found.setdefault(key, value)
            continue
        for part, own in value.items():
            name = part if key == "estimate" else f"{key}_{part}"
            found[name] = own
    return found


def _points(embeddings: Sequence[Row]) -> list[Row]:
    """Every member's place in every embedding, and the place of its random twin."""
    found = []
    for row in embeddings:
        for masks, points in (("members", row["points"]), ("twin", (row["twin"] or {}).get("points", []))):
            own = {"method": row["method"], "distance": row["distance"], "masks": masks}
            found += [{**own, **point} for point in points]
    return found


def _write(path: files.Location, table: "pd.DataFrame") -> None:
    files.write_atomic(path, table.to_csv(index=False, lineterminator="\n").encode())
