"""The rows of `results.json` as tables, one CSV file each."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from masklab.archive import files

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

ALWAYS = ("members", "overlap", "embeddings")
"""Tables that are written even without rows."""

MEASURED = (
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
"""Lists that the sections make; one that a section did not make is empty."""

LANDSCAPE = ("landscape", "chains", "neighbourhood", "algebra", "transfer", "planes")
"""Lists of the landscape; empty where none was measured."""

POINTS = ("interpolation", "barriers", "ends")
"""Tables of the landscape that are not in `results.json`."""

NAMES = ("populations", "members", "failures", "accuracy", *MEASURED, *LANDSCAPE, "nulls", "warnings")
"""Keys of `results.json` that are tables as they are."""


_FORMULA = ("=", "@")
"""What a spreadsheet would take for a formula; names of foreign layers may begin with anything."""


def write(folder: files.Location, results: Row, points: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write every table that has rows, and remove older ones that have none any more.

    Args:
        folder: The `analysis` folder.
        results: All of `results.json`.
        points: Rows of the tables in `POINTS`, by name.

    Raises:
        ArchiveError: The file system refuses.
    """
    import pandas as pd

    contents: dict[str, Sequence[Mapping[str, Any]]] = {name: results[name] for name in NAMES}
    contents |= {"embeddings": _points(results["embeddings"])}
    contents |= {name: points.get(name, []) for name in POINTS}
    for name, rows in contents.items():
        path = folder / f"{name}.csv"
        if rows or name in ALWAYS:
            nested = {key for row in rows for key, value in row.items() if isinstance(value, Mapping)}
            _write(path, pd.DataFrame([flat(row, nested) for row in rows]))
        else:
            files.remove(path)


def flat(row: Mapping[str, Any], nested: Collection[str] = ()) -> Row:
    """A row as one line: the parts of `estimate` are columns, those of anything else `<name>_<part>`.

    A part of the estimate that the row has as well is `estimate_<part>`.

    Args:
        row: A row of `results.json`.
        nested: Keys that have parts in other rows of the table; where they are None here, so are the parts.

    Examples:
        >>> flat({"n": 1, "estimate": {"value": 0.5, "n": 2}, "null": {"mean": 0.0}, "limits": None})
        {'n': 1, 'value': 0.5, 'estimate_n': 2, 'null_mean': 0.0, 'limits': None}
    """
    found: Row = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            for part, own in value.items():
                plain = key == "estimate" and part not in row
                found[part if plain else f"{key}_{part}"] = own
        elif value is not None or key not in nested:
            found[key] = value
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
    safe = table.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell)
    files.write_atomic(path, safe.to_csv(index=False, lineterminator="\n").encode())
