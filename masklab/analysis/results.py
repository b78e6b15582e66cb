"""`results.json` and the tables beside it.

```
{"schema": 1, "study": the study as stored, "created": ISO date and time,
 "input": hash of everything that was read (added by the stage),
 "populations": [{"name", "pruner", "gate", "refresh", "control", "density", "members" (planned), "stored",
                  "failed", "blocks" (draws of base weights), "size", "kept" (mean over the stored members
                  where counts differ between them), "options", "overrides",
                  "refresh_events": {"min", "max"}, "trained", "compared", "imported": null or {"format",
                  "weights" ("whole", "kept": where they are kept, "none": how much is known of them),
                  "files": [{"name", "sha256"}], "unknown": what is not known}}],
 "members":    [{"id", "population", "index", "block", "accuracy", "validation_accuracy", "best_epoch",
                 "best_epoch_accuracy", "refresh_events", "kept_density"}],
 "failures":   [{"id", "cause", "step"}],
 "accuracy":   [{"population", "metric", "sd", "sampling_sd" (of one member, from the finite test set), "min",
                 "max", "estimate": E}],
 "overlap":    [{"a", "b", "layer", "metric", "block", "seed", "estimate": E, "chance", "pairs"}],
 "movement":   [{"population", "epoch", "to", "layer", "metric", "estimate": E, "chance", "members"}],
 "tests":      [],
 "landscape":  [rows of `masklab.landscape`],
 "embeddings": [{"method", "distance", "points": [{"id", "x", "y"}], "axes", "explained", "parameters"}],
 "warnings":   [{"code", "text", "where"}]}
```
E is `{"value", "low", "high", "level", "method", "n"}`; what is undefined is null, with a `why`. Accuracies
and densities are fractions. `hamming` and `jaccard` are distances. Populations whose `compared` is false are
in `populations`, `members`, `failures` and `accuracy` only. Beside it: `members.csv`, `overlap.csv`,
`embeddings.csv`, `movement.csv` (only where there are snapshots), `interpolation.csv` (pair by pair, only
where there are paths) and `overlap.npz` (ids, layers, sizes, intersections per layer, Hamming and Jaccard
distances of whole masks).
"""

import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from masklab import archive as archives
from masklab.analysis import accuracy, guards, movement, overlap
from masklab.analysis.distances import Distances
from masklab.archive import directory as directories
from masklab.archive import files

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

SCHEMA = 1
RESULTS = "results.json"

_MEMBER_NUMBERS = {
    "index": int,
    "block": int,
    "accuracy": float,
    "validation_accuracy": float,
    "best_epoch": int,
    "best_epoch_accuracy": float,
    "refresh_events": int,
    "kept_density": float,
}
"""Numeric columns of `members`, and what they are."""


def assemble(
    archive: archives.Archive,
    distances: Distances,
    *,
    embeddings: Iterable[Row | None] = (),
    landscape: Iterable[Row] = (),
    extra_warnings: Iterable[Row] = (),
) -> Row:
    """All of `results.json`; equal input gives equal results but for `created`.

    Args:
        archive: The study's members.
        distances: Intersection counts of all stored members that are compared.
        embeddings: Rows of `masklab.analysis.embedding`; None is left out.
        landscape: Rows of `masklab.landscape`.
        extra_warnings: Warnings `{code, text, where}` of other stages.

    Raises:
        ArchiveError: A stored member is damaged.
    """
    study = archive.study
    members = _member_rows(archive)
    failures = _failure_rows(archive)
    populations = [_population_row(archive, row, members, failures) for row in study["populations"]]
    facts = {member: archive.member(member).facts for member in archive.ids}
    tested = max((one["accuracy"]["n_test"] for one in facts.values()), default=0)
    accuracies = accuracy.rows(populations, members, tested)
    levels = {member: one["levels"] for member, one in facts.items()}
    draws = len({own["weights"] for own in levels.values() if own})
    imported = [row["name"] for row in populations if row["imported"]]
    sampling = guards.accuracy_sampling(accuracies, tested)
    names = [row["name"] for row in populations]
    return {
        "schema": SCHEMA,
        "study": study,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "populations": populations,
        "members": members,
        "failures": failures,
        "accuracy": accuracies,
        "overlap": overlap.rows(names, distances, archive.blocks, imported) if distances.ids else [],
        "movement": movement.rows(archive),
        "tests": [],
        "landscape": list(landscape),
        "embeddings": [row for row in embeddings if row],
        "warnings": [
            *guards.collect(study, populations, members, failures, draws=draws),
            *guards.duplicates(distances, levels),
            *([sampling] if sampling else []),
            *extra_warnings,
        ],
    }


def write(
    directory: files.Location,
    results: Row,
    distances: Distances,
    interpolation: Sequence[Mapping[str, Any]] = (),
) -> files.Location:
    """Write `results.json` and what stands beside it, each file atomically, `results.json` last.

    Args:
        directory: The study's directory; the files go to its `analysis` folder.
        results: What `assemble` returned.
        distances: What it was assembled from.
        interpolation: Rows of `interpolation.csv`; without any, an older file of that name is removed, as
            `movement.csv` is without movement.

    Returns:
        Path of `results.json`.

    Raises:
        ArchiveError: The file system refuses.
    """
    import pandas as pd

    folder = directory / directories.ANALYSIS
    _write_csv(folder / "members.csv", pd.DataFrame(results["members"]))
    _write_csv(folder / "overlap.csv", pd.DataFrame([_flat(row) for row in results["overlap"]]))
    points = [
        {"method": row["method"], "distance": row["distance"], **point}
        for row in results["embeddings"]
        for point in row["points"]
    ]
    _write_csv(
        folder / "embeddings.csv", pd.DataFrame(points, columns=["method", "distance", "id", "x", "y"])
    )
    for name, table in (
        ("movement.csv", [_flat(row) for row in results["movement"]]),
        ("interpolation.csv", interpolation),
    ):
        if table:
            _write_csv(folder / name, pd.DataFrame(table))
        else:
            files.remove(folder / name)
    files.write_atomic(folder / "overlap.npz", _arrays(distances))
    files.write_json(folder / RESULTS, results)
    return folder / RESULTS


def _member_rows(archive: archives.Archive) -> list[Row]:
    import pandas as pd

    table = archive.members
    rows = []
    for member, row in zip(table.index, table.to_dict("records"), strict=True):
        numbers = {
            key: None if pd.isna(row[key]) else kind(row[key]) for key, kind in _MEMBER_NUMBERS.items()
        }
        why = "unknown (imported)" if numbers["accuracy"] is None else "without a validation split"
        undefined = {"why": why} if None in numbers.values() else {}
        rows.append({"id": member, "population": row["population"], **numbers, **undefined})
    return rows


def _failure_rows(archive: archives.Archive) -> list[Row]:
    return [
        {"id": member, "cause": record.get("cause"), "step": record.get("step")}
        for member, record in archive.failures.items()
    ]


def _population_row(
    archive: archives.Archive, population: Row, members: list[Row], failures: list[Row]
) -> Row:
    stored = [row for row in members if row["population"] == population["name"]]
    events = [row["refresh_events"] for row in stored]
    keys = ("name", "pruner", "gate", "refresh", "control", "density", "members")
    return {
        **{key: population[key] for key in keys},
        "stored": len(stored),
        "failed": sum(row["id"].rpartition("/")[0] == population["name"] for row in failures),
        "blocks": len({row["block"] for row in stored}),
        "size": sum(layer["size"] for layer in population["layers"]),
        "kept": _kept(archive, population, [row["id"] for row in stored]),
        "options": population["options"],
        "overrides": population["overrides"],
        "refresh_events": {"min": min(events, default=None), "max": max(events, default=None)},
        "trained": population.get("trained", population["control"] is None),
        "compared": population.get("compared", True),
        "imported": population.get("imported"),
    }


def _kept(archive: archives.Archive, population: Row, ids: list[str]) -> int | float | None:
    """Kept weights of each member, or their mean where the study leaves the counts to the training."""
    planned = [layer["kept"] for layer in population["layers"]]
    if None not in planned:
        return sum(planned)
    counts = [sum(layer.kept for layer in archive.member(one).layers) for one in ids]
    return statistics.mean(counts) if counts else None


def _flat(row: Row) -> Row:
    """A row with an estimate as one line of a table; its columns are the same for every row."""
    estimate = row["estimate"]
    own = {key: value for key, value in row.items() if key != "estimate"}
    return {**own, **estimate, "why": estimate.get("why", "")}


def _write_csv(path: files.Location, table: "pd.DataFrame") -> None:
    files.write_atomic(path, table.to_csv(index=False, lineterminator="\n").encode())


def _arrays(distances: Distances) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        ids=np.array(distances.ids, dtype=str),
        layers=np.array(distances.layers, dtype=str),
        sizes=distances.sizes,
        intersections=distances.intersections,
        hamming=distances.hamming(),
        jaccard=distances.jaccard(),
    )
    return buffer.getvalue()
