"""Synthetic analyses: random masks with a shared part, and results.json computed from them."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from masklab.report import figures, load, style

from . import measured, moving, surfaces, walked
from .recipe import (
    DENSITY,
    HOSTILE,
    HOSTILE_LAYER,
    LAYERS,
    PRUNERS,
    Pruner,
    population,
    study,
)

FEW_DRAWS = "Fewer than 3 draws of base weights."
TESTED = ("observed_over_expected", "chance_corrected")
CREATED = "2025-03-04T05:06:07.891011+00:00"


def estimate(values: list[float], scale: float = 1.0) -> dict[str, Any]:
    """Mean with a normal interval; undefined without values, without an interval for one."""
    common = {"level": 0.95, "method": "jackknife over members", "n": len(values)}
    if not values:
        return {"value": None, "low": None, "high": None, **common, "why": "no values"}
    mean = float(np.mean(values)) * scale
    if len(values) == 1:
        return {"value": mean, "low": None, "high": None, **common, "why": "one value has no interval"}
    half = 1.96 * float(np.std(values, ddof=1)) * scale / len(values) ** 0.5
    return {"value": mean, "low": mean - half, "high": mean + half, **common}


def build(
    directory: Path,
    populations: int = 3,
    members: int = 6,
    draws: int = 2,
    *,
    name: str = "recycling-at-half",
    hostile: bool = False,
    landscape: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Write `analysis/` of a study and return what results.json holds.

    Args:
        directory: The study's directory.
        populations: Number of populations.
        members: Members of each.
        draws: Draws of base weights.
        name: Name of the study.
        hostile: Put markup and `$` into every text a user can choose.
        landscape: Whether a landscape was measured.
        seed: Of the synthetic masks.
    """
    random = np.random.RandomState(seed)
    pruners = PRUNERS[:populations]
    names = [f"{pruner[0]}-d{DENSITY}" for pruner in pruners]
    if hostile:
        name, names[0] = HOSTILE + "$x^", HOSTILE + "$\\frac{1}{$"
    rows = [(place, index, index % draws) for place in range(populations) for index in range(members)]
    masks = _masks(random, pruners, rows, draws)
    drawn = [_member(random, names, pruners, row) for row in rows]
    results = {
        "schema": 3,
        "study": study(name, names, pruners, members=members, draws=draws, hostile=hostile),
        "created": CREATED,
        "populations": [population(names[p], pruner, members, draws) for p, pruner in enumerate(pruners)],
        "members": drawn,
        "failures": [{"id": f"{names[0]}/0099", "cause": HOSTILE, "step": 3}] if hostile else [],
        "accuracy": accuracy(names, drawn),
        "overlap": _overlap(names, rows, masks),
        **measured.rows(names, rows, masks),
        **(walked.rows(random, names, pruners, rows, estimate) if landscape else walked.nothing()),
        "movement": moving.rows(names, rows, masks, estimate),
        "embeddings": _embeddings(names, rows, masks),
        "warnings": [{"code": "few-draws", "text": FEW_DRAWS, "where": HOSTILE if hostile else None}],
    }
    if hostile:
        results = json.loads(json.dumps(results).replace('"conv1"', json.dumps(HOSTILE_LAYER)))
    return save(directory, results, names, rows, masks)


def save(
    directory: Path, results: dict[str, Any], names: list[str], rows: list, masks: dict
) -> dict[str, Any]:
    """Write results.json and overlap.npz; returns the results."""
    folder = directory / "analysis"
    folder.mkdir(parents=True, exist_ok=True)
    rewrite(directory, results)
    whole = np.concatenate(list(masks.values()), axis=1)
    hamming = (whole[:, None] != whole[None]).mean(axis=2)
    both = np.stack([mask.astype(np.int64) @ mask.T.astype(np.int64) for mask in masks.values()])
    union = whole.sum(1)[:, None] + whole.sum(1)[None] - both.sum(0)
    np.savez(
        folder / "overlap.npz",
        ids=np.array([f"{names[p]}/{index:04d}" for p, index, _ in rows]),
        layers=np.array(list(LAYERS)),
        sizes=np.array(list(LAYERS.values())),
        intersections=both,
        hamming=hamming,
        jaccard=1.0 - both.sum(0) / union,
    )
    surfaces.save(folder, results["planes"])
    return results


def rewrite(directory: Path, results: dict[str, Any]) -> None:
    """Replace results.json alone."""
    path = directory / "analysis" / "results.json"
    path.write_text(json.dumps(results, allow_nan=False), encoding="utf-8")


def draw(directory: Path, results: dict[str, Any], figure: figures.Draw) -> figures.Figure:
    """One figure of results that were changed."""
    rewrite(directory, results)
    analysis = load.read(directory)
    return figure(analysis, style.theme([analysis]), "k")


def _masks(random: np.random.RandomState, pruners: tuple[Pruner, ...], rows: list, draws: int) -> dict:
    """Layer → boolean [members, size]; the top half of a mixture of draw, pruner and member noise."""
    masks = {}
    for layer, size in LAYERS.items():
        base, own = random.standard_normal((draws, size)), random.standard_normal((len(pruners), draws, size))
        count = int(size * DENSITY + 0.5)
        mask = np.zeros((len(rows), size), dtype=bool)
        for row, (p, _, block) in enumerate(rows):
            shared = pruners[p][2]
            score = shared * (base[block] + 0.5 * own[p, block]) + random.standard_normal(size)
            mask[row, np.argsort(-score)[:count]] = True
        masks[layer] = mask
    return masks


def _member(
    random: np.random.RandomState, names: list[str], pruners: tuple[Pruner, ...], row: tuple[int, int, int]
) -> dict[str, Any]:
    p, index, block = row
    accuracy = pruners[p][3] + 0.004 * random.standard_normal()
    trained = pruners[p][0] != "random"
    return {
        "id": f"{names[p]}/{index:04d}",
        "population": names[p],
        "index": index,
        "block": block,
        "accuracy": accuracy,
        "validation_accuracy": accuracy + 0.002 * random.standard_normal(),
        "best_epoch": int(random.randint(14, 20)) if trained else None,
        "best_epoch_accuracy": accuracy + 0.003 * random.random_sample() if trained else None,
        "refresh_events": 5 if pruners[p][1] else 0,
        "kept_density": DENSITY,
    }


def accuracy(names: list[str], members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for name, metric in itertools.product(names, ("accuracy", "best_epoch_accuracy", "validation_accuracy")):
        values = [m[metric] for m in members if m["population"] == name and m[metric] is not None]
        several = len(values) > 1
        rows.append(
            {
                "population": name,
                "metric": metric,
                "sd": float(np.std(values, ddof=1)) if several else None,
                "sampling_sd": float(np.sqrt(np.mean(values) * (1 - np.mean(values)) / 10_000))
                if values
                else None,
                "min": min(values, default=None),
                "max": max(values, default=None),
                "estimate": estimate(values),
            }
        )
    return rows


def _overlap(names: list[str], rows: list, masks: dict) -> list[dict[str, Any]]:
    kept = {layer: int(size * DENSITY + 0.5) for layer, size in LAYERS.items()}
    both = {layer: mask.astype(np.int64) @ mask.T.astype(np.int64) for layer, mask in masks.items()}
    found = []
    for (a, b, block, seed), pairs in walked.cells(names, rows).items():
        for layer in ("whole", *LAYERS):
            layers = list(LAYERS) if layer == "whole" else [layer]
            k, size = sum(kept[name] for name in layers), sum(LAYERS[name] for name in layers)
            expected = sum(kept[name] ** 2 / LAYERS[name] for name in layers)
            shared = [float(sum(both[name][pair] for name in layers)) for pair in pairs]
            metrics = {
                "hamming": ([2.0 * (k - i) / size for i in shared], 2.0 * (k - expected) / size),
                "jaccard": ([1.0 - i / (2 * k - i) for i in shared], 1.0 - expected / (2 * k - expected)),
                "observed_over_expected": ([i / expected for i in shared], 1.0),
                "jaccard_similarity": ([i / (2 * k - i) for i in shared], expected / (2 * k - expected)),
                "chance_corrected": ([(i - expected) / (k - expected) for i in shared], 0.0),
            }
            found += [
                {
                    "a": a,
                    "b": b,
                    "layer": layer,
                    "metric": metric,
                    "block": block,
                    "seed": seed,
                    "estimate": estimate(values),
                    "chance": chance,
                    "z": 12.34 if metric in TESTED else None,
                    "pairs": len(pairs),
                }
                for metric, (values, chance) in metrics.items()
            ]
    return found


def _embeddings(names: list[str], rows: list, masks: dict) -> list[dict[str, Any]]:
    if len(rows) < 3:
        return []
    whole = np.concatenate(list(masks.values()), axis=1)
    squared = (whole[:, None] != whole[None]).mean(axis=2)
    centre = np.eye(len(rows)) - 1.0 / len(rows)
    values, vectors = np.linalg.eigh(-0.5 * centre @ squared @ centre)
    places = vectors[:, [-1, -2]] * np.sqrt(values[[-1, -2]])
    explained = (values[[-1, -2]] / values.sum()).tolist()
    ids = [f"{names[p]}/{index:04d}" for p, index, _ in rows]

    def points(xy: np.ndarray) -> list[dict[str, Any]]:
        return [{"id": name, "x": float(x), "y": float(y)} for name, (x, y) in zip(ids, xy, strict=True)]

    common = {"distance": "sqrt-hamming"}
    pcoa = {
        "method": "pcoa",
        **common,
        "points": points(places),
        "axes": [f"axis {at} ({100 * share:.1f}% of the inertia)" for at, share in enumerate(explained, 1)],
        "explained": explained,
        "parameters": {},
    }
    umap = {
        "method": "umap",
        **common,
        "points": points(np.tanh(20 * places)),
        "axes": ["UMAP 1", "UMAP 2"],
        "explained": None,
        "parameters": {"n_neighbors": 15, "min_dist": 0.1, "random_state": 0},
    }
    return [measured.embedding(pcoa, 0.936, 0.62), measured.embedding(umap, 0.71, 0.74)]
