"""`results.json`, in the schema of `docs/results.md`, and the tables and arrays beside it."""

import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from masklab import archive as archives
from masklab.analysis import accuracy, equal, guards, inputs, sections, tables, tiles
from masklab.archive import directory as directories
from masklab.archive import files

Row = dict[str, Any]

OVERLAP = "overlap.npz"
STRUCTURE = "structure.npz"
LANDSCAPE = "landscape.npz"

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
    material: sections.Material,
    found: sections.Found,
    *,
    embeddings: Iterable[Row | None] = (),
    landscape: Mapping[str, Any] | None = None,
    extra_warnings: Iterable[Row] = (),
) -> Row:
    """All of `results.json`; equal input gives equal results but for `created`.

    Args:
        material: What was measured.
        found: What `sections.measure` found.
        embeddings: Rows of `masklab.analysis.embeddings`; None is left out.
        landscape: Rows of `masklab.landscape` by key, and `landscape_work`; None: none was measured.
        extra_warnings: Warnings `{code, text, where}` of other stages.

    Raises:
        ArchiveError: A stored member is damaged.
    """
    archive = material.archive
    study = archive.study
    members = _member_rows(archive)
    failures = _failure_rows(archive)
    populations = [_population_row(archive, row, members, failures) for row in study["populations"]]
    facts = {member: archive.member(member).facts for member in archive.ids}
    tested = max((one["accuracy"]["n_test"] for one in facts.values()), default=0)
    accuracies = accuracy.rows(populations, members, tested)
    drawn = [row for row in embeddings if row]
    results = {
        "schema": inputs.SCHEMA,
        "study": study,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "without_pairs": material.without_pairs or None,
        "populations": populations,
        "members": members,
        "failures": failures,
        "accuracy": accuracies,
        **{key: found.rows.get(key, []) for key in tables.MEASURED},
        "scope": found.rows.get("scope"),
        "nulls": found.rows.get("nulls", []),
        "landscape_work": (landscape or {}).get("landscape_work"),
        **{key: list((landscape or {}).get(key, [])) for key in tables.LANDSCAPE},
        "embeddings": drawn,
    }
    levels = {member: one["levels"] for member, one in facts.items()}
    warnings = [
        *guards.collect(results, draws=len({own["weights"] for own in levels.values() if own})),
        *guards.duplicates(_equal(material), results, levels),
        *guards.measured(results, tested),
        *extra_warnings,
    ]
    return {**results, "warnings": warnings}


def _equal(material: sections.Material) -> list[list[str]]:
    """Groups of members with equal masks."""
    if material.distances is None:
        return equal.hashed(material.archive, material.design.ids)
    return equal.groups(material.distances)


def write(
    directory: files.Location,
    results: Row,
    material: sections.Material,
    found: sections.Found,
    points: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    surfaces: Mapping[str, np.ndarray] | None = None,
) -> files.Location:
    """Write `results.json` and what stands beside it, each file atomically, `results.json` last.

    Args:
        directory: The study's directory; the files go to its `analysis` folder.
        results: What `assemble` returned.
        material: What it was assembled from.
        found: What it was assembled from.
        points: Rows of `tables.POINTS`; a table without rows is removed if an older one is there.
        surfaces: Arrays of `landscape.npz`.

    Returns:
        Path of `results.json`.

    Raises:
        ArchiveError: The file system refuses.
    """
    folder = directory / directories.ANALYSIS
    tables.write(folder, results, points or {})
    overlap = {} if material.distances is None else _distances(material)
    for name, arrays in ((OVERLAP, overlap), (STRUCTURE, found.arrays), (LANDSCAPE, surfaces or {})):
        if arrays:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
            files.write_atomic(folder / name, buffer.getvalue())
        else:
            files.remove(folder / name)
    files.write_json(folder / inputs.RESULTS, results)
    tiles.clear(folder / tiles.FOLDER, tiles.key(material.archive, material.design.ids))
    return folder / inputs.RESULTS


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


def _distances(material: sections.Material) -> dict[str, np.ndarray]:
    """Ids, layers, their sizes, counts of each layer, and distances of whole masks."""
    distances = material.distances
    if distances is None:
        return {}
    return {
        "ids": np.array(distances.ids, dtype=str),
        "layers": np.array(distances.layers, dtype=str),
        "sizes": distances.sizes,
        "intersections": distances.intersections.astype(np.uint32),
        "hamming": distances.hamming(),
        "jaccard": distances.jaccard(),
    }
