"""Large synthetic analyses: every kind of row for hundreds of members, written within seconds."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from . import builder, crowd, measured, predicted, surfaces, walked
from .moving import EPOCHS, LAST
from .recipe import LAYERS, population, study

Row = dict[str, Any]

SCATTER = 4000
"""The most pairs that an analysis lists."""

_METHODS = (
    ("pcoa", "sqrt-hamming", ["axis 1 (21.0% of the inertia)", "axis 2 (9.0% of the inertia)"], [0.21, 0.09]),
    ("mds", "hamming", ["MDS 1", "MDS 2"], None),
    ("umap", "hamming", ["UMAP 1", "UMAP 2"], None),
    ("tsne", "hamming", ["t-SNE 1", "t-SNE 2"], None),
)


def build(directory: Path, populations: int = 10, members: int = 100, draws: int = 5, seed: int = 0) -> Row:
    """Write `analysis/` of a large study and return what results.json holds.

    Args:
        directory: The study's directory.
        populations: Number of populations, at most 28.
        members: Members of each.
        draws: Draws of base weights.
        seed: Of everything that is drawn.
    """
    random = np.random.RandomState(seed)
    own = crowd.make(populations, members, draws)
    where = crowd.places(random, own)
    arrays = crowd.distances(own, where)
    results = _results(random, own, arrays, (members, draws))
    results["embeddings"] = _embeddings(random, own, where)
    folder = directory / "analysis"
    folder.mkdir(parents=True, exist_ok=True)
    builder.rewrite(directory, results)
    np.savez(folder / "overlap.npz", **arrays)  # pyright: ignore[reportArgumentType]
    surfaces.save(folder, results["planes"])
    (folder / "interpolation.csv").write_text(_curves(random, own, results["landscape"]), encoding="utf-8")
    return results


def _results(
    random: np.random.RandomState, own: crowd.Crowd, arrays: dict[str, np.ndarray], sizes: tuple[int, int]
) -> Row:
    names, (members, draws) = own.names, sizes
    drawn = _members(random, own)
    found = {
        "schema": 3,
        "study": study("large", names, own.pruners, members=members, draws=draws, hostile=False),
        "created": builder.CREATED,
        "populations": [_population(own, p, *sizes) for p in range(len(names))],
        "members": drawn,
        "failures": [{"id": f"{names[0]}/9999", "cause": "loss is not finite", "step": 3}],
        "accuracy": builder.accuracy(names, drawn),
        **measured.statistics(names, own.rows),
        "overlap": crowd.overlap(own, arrays["intersections"]),
        "consensus": _consensus(own, *sizes),
        **_function(random, own, arrays["hamming"]),
        **walked.rows(random, names, own.pruners, own.rows, builder.estimate),
        "movement": _movement(own, members),
        "settling": _settling(names, members),
        "warnings": [{"code": "few-weight-draws", "text": builder.FEW_DRAWS, "where": None}],
    }
    for a, b in itertools.combinations(names, 2):
        for test in ("permdisp", "stability"):
            found["tests"].append(measured.tested(test, a, b, effect=0.02, label="difference, a − b"))
    return found


def _population(own: crowd.Crowd, p: int, members: int, draws: int) -> Row:
    row = population(own.names[p], own.pruners[p], members, draws)
    kept = sum(int(size * own.densities[p] + 0.5) for size in LAYERS.values())
    return {**row, "density": own.densities[p], "kept": kept}


def _members(random: np.random.RandomState, own: crowd.Crowd) -> list[Row]:
    found = []
    noise = random.standard_normal((len(own.place), 3)).tolist()
    for (p, index, block), (first, second, third) in zip(own.rows, noise, strict=True):
        pruner, density = own.pruners[p], own.densities[p]
        accuracy, trained = (
            pruner[3] - 0.1 * (0.5 - density) * (pruner[3] > 0.2) + 0.004 * first,
            pruner[2] > 0,
        )
        row = {
            "id": f"{own.names[p]}/{index:04d}",
            "population": own.names[p],
            "index": index,
            "block": block,
        }
        row |= {"accuracy": accuracy, "validation_accuracy": accuracy + 0.002 * second}
        row |= {"best_epoch": 14 + index % 6 if trained else None}
        row |= {"best_epoch_accuracy": accuracy + 0.003 * abs(third) if trained else None}
        found.append({**row, "refresh_events": 5 if pruner[1] else 0, "kept_density": density})
    return found


def _consensus(own: crowd.Crowd, members: int, draws: int) -> list[Row]:
    of = members // draws
    found = []
    for name, density in zip(own.names, own.densities, strict=True):
        for kept_by in range(of + 1):
            chance = math.comb(of, kept_by) * density**kept_by * (1.0 - density) ** (of - kept_by)
            row = {"population": name, "layer": "whole", "block": "within", "of": of, "draws": draws}
            row |= {"kept_by": kept_by, "share": 0.9 * chance + 0.1 / (of + 1), "chance": chance}
            if kept_by in (0, of):
                row |= {"chance_sd": 0.001, "estimate": predicted.value(row["share"], 0.004)}
            found.append(row)
    return found


def _function(random: np.random.RandomState, own: crowd.Crowd, hamming: np.ndarray) -> Row:
    ids = own.ids
    within = np.flatnonzero(np.triu(own.place[:, None] == own.place[None], 1))
    shown = np.sort(random.choice(within, min(SCATTER, len(within)), replace=False))
    noise = 0.01 * random.standard_normal(len(shown))
    found: Row = {"function": [], "ensembles": [], "scatter": []}
    for place, more in zip(shown.tolist(), noise.tolist(), strict=True):
        i, j = divmod(place, len(ids))
        apart = float(hamming[i, j])
        block = "within" if own.draw[i] == own.draw[j] else "across"
        row = {"id_a": ids[i], "id_b": ids[j], "block": block, "hamming": apart}
        found["scatter"].append(
            {**row, "chance_corrected": 1.0 - 2.0 * apart, "disagreement": abs(apart / 3.0 + more)}
        )
    for p, name in enumerate(own.names):
        found["function"] += predicted.predictions(name, 0.001 * p)
        found["ensembles"] += predicted.ensembles(name, 0.001 * p)
    scope = {"members": len(ids), "images": 10_000, "left_out": {}, "labels": None}
    return {**found, "scope": {**scope, "scatter": {"shown": len(shown), "of": len(within)}}}


def _movement(own: crowd.Crowd, members: int) -> list[Row]:
    found = []
    for (name, density), layer in itertools.product(
        zip(own.names, own.densities, strict=True), ("whole", *LAYERS)
    ):
        chance = 2.0 * density * (1.0 - density)
        for epoch, to in itertools.pairwise((*EPOCHS, LAST)):
            ways = [0.3 * chance * (1.0 - one / LAST) ** 2 for one in (epoch, to)]
            row = {"population": name, "epoch": epoch, "layer": layer, "members": members}
            step = predicted.value((ways[0] - ways[1]) / (to - epoch), 1e-4, members)
            flipped = {"to": to, "metric": "flipped_per_epoch", "estimate": step, "chance": None}
            way = {"to": LAST, "metric": "to_final", "chance": chance}
            way["estimate"] = predicted.value(ways[0], 0.002, members)
            found += [{**row, **flipped}, {**row, **way}]
    return found


def _settling(names: list[str], members: int) -> list[Row]:
    return [
        {
            "population": name,
            "layer": layer,
            "metric": "settled_epoch",
            "tolerance": 0.01,
            "first": EPOCHS[0],
            "to": LAST,
            "estimate": predicted.value(12.0 + 0.3 * at, 0.4, members),
            "chance": 19.9,
            "members": members,
        }
        for name in names
        for at, layer in enumerate(("whole", *LAYERS))
    ]


def _embeddings(random: np.random.RandomState, own: crowd.Crowd, where: np.ndarray) -> list[Row]:
    found = []
    for method, distance, axes, explained in _METHODS:
        flat = where @ random.standard_normal((where.shape[1], 2))
        points = [{"id": name, "x": x, "y": y} for name, (x, y) in zip(own.ids, flat.tolist(), strict=True)]
        row = {"method": method, "distance": distance, "points": points, "axes": axes}
        row |= {"explained": explained, "parameters": {} if explained else {"random_state": 0}}
        found.append(measured.embedding(row, 0.9, 0.62))
    return found


def _curves(random: np.random.RandomState, own: crowd.Crowd, paths: list[Row]) -> str:
    """`interpolation.csv`: every walk behind the rows of `landscape`."""
    ids = own.ids
    pairs = {
        cell: [(ids[i], ids[j]) for i, j in zip(*found, strict=True)]
        for cell, found in crowd.cells(own).items()
    }
    lines = ["a,b,block,seed,member_a,member_b,path,order,split,t,accuracy,loss"]
    for row in paths:
        cell = row["a"], row["b"], row["block"], row["seed"]
        walks = list(itertools.product(pairs[cell][: row["pairs"]], range(row["orders"])))
        mean = np.array(row["accuracy"]["mean"])
        noise = 0.01 * random.standard_normal((len(walks), len(mean)))
        for ((first, last), order), accuracies in zip(
            walks, (mean + noise).clip(0.0, 1.0).tolist(), strict=True
        ):
            head = ",".join((*cell, first, last, row["path"], str(order), row["split"]))
            for t, accuracy in zip(row["points"], accuracies, strict=True):
                lines.append(f"{head},{t!r},{accuracy!r},{4.0 * (1.0 - accuracy)!r}")
    return "\n".join(lines) + "\n"
