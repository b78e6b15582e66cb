"""A synthetic landscape: paths, chains, neighbourhoods, algebra, transfers, planes of synthetic members."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import surfaces
from .predicted import value
from .recipe import LAYERS, Pruner

Row = dict[str, Any]
Estimate = Callable[..., Row]

CHANCE = 0.103
IMAGES = {"test": 1000, "train": 500}
GRID = np.linspace(0.0, 1.0, 11)
PATHS = ("linear", "geodesic", "geodesic-swap", "ranked")
KEYS = ("landscape", "chains", "neighbourhood", "algebra", "transfer", "planes")
DRAWN = (
    *("paths", "interpolation", "barriers", "flatness", "sensitivity"),
    *("algebra", "gathering", "transfer", "surfaces", "chains"),
)
TABLES = (
    *("barriers-table", "landscape-work", "sensitivity-table", "algebra-table"),
    *("transfer-table", "chains-table"),
)
SHARES = (0.001, 0.01, 0.1, 0.5)


def cells(names: list[str], rows: list) -> dict[tuple[str, str, str, str], list[tuple[int, int]]]:
    """(a, b, block, seed) → pairs of row numbers; cells without pairs are left out."""
    found: dict[tuple[str, str, str, str], list[tuple[int, int]]] = {}
    for i, j in itertools.combinations(range(len(rows)), 2):
        (p, first, draw), (q, second, other) = rows[i], rows[j]
        block = "within" if draw == other else "across"
        seed = "same" if p != q and first == second else "different"
        found.setdefault((names[p], names[q], block, seed), []).append((i, j))
    return found


def rows(
    random: np.random.RandomState,
    names: list[str],
    pruners: tuple[Pruner, ...],
    members: list,
    estimate: Estimate,
) -> Row:
    """All keys of the landscape, for members (population, index, block)."""
    several = [name for p, name in enumerate(names) if sum(row[0] == p for row in members) > 1]
    return {
        "landscape": _paths(random, names, pruners, members, estimate),
        "chains": _chains(several),
        "neighbourhood": _neighbourhood(names, pruners),
        "algebra": _algebra(several, pruners),
        "transfer": _transfer(names, pruners),
        "planes": surfaces.rows(names, members, header()),
        "landscape_work": work(),
    }


def nothing() -> Row:
    """All keys where no landscape was measured."""
    return {**{key: [] for key in KEYS}, "landscape_work": None}


def header(split: str = "test") -> Row:
    return {"split": split, "statistics": "none", "images": IMAGES[split], "chance": CHANCE}


def work() -> Row:
    asked = ("members", "paths", "neighbourhood", "algebra", "transfer", "planes", "chains")
    questions = [
        {"name": name, "wanted": 9_000_000, "evaluations": 1_000_000 + at, "networks": 700 + at}
        for at, name in enumerate(asked)
    ]
    return {
        "budget": 8_000_000,
        "source": "0.4 × the forward passes of the training (the default)",
        "evaluations": sum(own["evaluations"] for own in questions),
        "networks": sum(own["networks"] for own in questions),
        "images": IMAGES,
        "of_images": {"test": 10_000, "train": 45_000},
        "statistics": "none",
        "batches": 0,
        "statistics_images": 0,
        "engine": "vmap",
        "device": "cpu",
        "points": 11,
        "orders": 2,
        "paths": None,
        "questions": questions,
        "stored_predictions": {"members": 12, "images": 12_000, "differing": 3},
    }


def _paths(
    random: np.random.RandomState,
    names: list[str],
    pruners: tuple[Pruner, ...],
    members: list,
    estimate: Estimate,
) -> list[Row]:
    found = []
    for path, (cell, pairs), split in itertools.product(PATHS, cells(names, members).items(), IMAGES):
        a, b, block, _ = cell
        if path != "linear" and (a != b or block == "across"):
            continue
        ends = [pruners[names.index(name)] for name in (a, b)]
        depth = (0.6 - 0.5 * min(ends[0][2], ends[1][2])) * (1.3 if block == "across" else 1.0)
        depth *= 1.0 + 0.2 * PATHS.index(path)
        shape = (ends[0][3], ends[1][3], depth)
        found.append(_path(random, (*cell, path, split), pairs, shape, estimate))
    return found


def _path(
    random: np.random.RandomState,
    cell: tuple[str, ...],
    pairs: list[tuple[int, int]],
    shape: tuple[float, float, float],
    estimate: Estimate,
) -> Row:
    a, b, block, seed, path, split = cell
    chosen, (first, last, depth) = pairs[:4], shape
    ends = np.outer(1 - GRID, [first] * len(chosen)) + np.outer(GRID, [last] * len(chosen))
    noise = 1.0 + 0.1 * random.standard_normal(len(chosen))
    curves = np.maximum(CHANCE, ends - depth * np.outer(np.sin(np.pi * GRID), noise))
    barriers = [float(own) for own in (ends - curves).max(axis=0)]
    frankle = [own + abs(first - last) / 2 for own in barriers]
    mean = float(np.mean(barriers))
    images = {"low": mean - 0.01, "high": mean + 0.008, "bias": 0.002, "corrected": mean - 0.002}
    images |= {"chance": 0.004, "resamples": 200, "level": 0.95, "method": "basic bootstrap interval"}
    refreshed = "+" in a or "+" in b
    band = {"mean": curves.mean(1).tolist(), "low": curves.min(1).tolist(), "high": curves.max(1).tolist()}
    return {
        "a": a,
        "b": b,
        "path": path,
        "block": block,
        "seed": seed,
        "rule": "weights" if path == "linear" else "effective" if refreshed else "mask",
        **header(split),
        "orders": 2 if path.startswith("geodesic") else 1,
        "pairs": len(chosen),
        "of_pairs": len(pairs),
        "of_images": 10_000,
        "points": GRID.tolist(),
        "accuracy": band,
        "loss": {key: [4.0 * (1.0 - one) for one in values] for key, values in band.items()},
        "barrier": {
            "entezari_error": estimate(barriers),
            "entezari_loss": estimate(barriers, 4.0),
            "frankle_error": estimate(frankle),
            "frankle_loss": estimate(frankle, 4.0),
        },
        "over_images": {"entezari_error": images, "entezari_loss": images},
        "connected": estimate([float(own < 0.02) for own in barriers]),
        "threshold": 0.02,
    }


def _chains(several: list[str]) -> list[Row]:
    found = []
    for (p, name), path, split in itertools.product(enumerate(several), ("linear", "geodesic"), IMAGES):
        if "+" in name:  # a refresh changes base weights
            continue
        for at, (epoch, to) in enumerate(itertools.pairwise((0, 2, 5, 10, 16, 20))):
            height = (0.08 - 0.015 * at) * (1.0 + 0.1 * p)
            barrier = {"entezari_error": value(height, 0.004), "entezari_loss": value(4.0 * height, 0.02)}
            found.append(
                {
                    "population": name,
                    "path": path,
                    "epoch": epoch,
                    "to": to,
                    **header(split),
                    "members": 4,
                    "hamming": value(0.2 - 0.03 * at, 0.005),
                    "accuracy": value(0.4 + 0.08 * at),
                    "barrier": barrier,
                    "connected": value(float(height < 0.02), None),
                    "threshold": 0.02,
                }
            )
    return found


def _neighbourhood(names: list[str], pruners: tuple[Pruner, ...]) -> list[Row]:
    size, found = sum(LAYERS.values()), []
    for (name, pruner), kind in itertools.product(
        zip(names, pruners, strict=True), ("random", "swap", "margin", "layer")
    ):
        if kind == "margin" and pruner[0] == "random":  # without scores
            continue
        places = list(LAYERS) if kind == "layer" else ["whole"] * len(SHARES)
        for at, layer in enumerate(places):
            share = 0.1 if kind == "layer" else SHARES[at]
            flips = share * (LAYERS[layer] if kind == "layer" else size)
            drop = (pruner[3] - CHANCE) * (0.01 * (6 - at) if kind == "layer" else min(1.0, 2.0 * share))
            found.append(
                {
                    "population": name,
                    "kind": kind,
                    "layer": layer,
                    "flips": flips,
                    "share": share,
                    "density": 0.5,
                    "members": 2,
                    **header(),
                    "accuracy": value(pruner[3] - drop, 0.012),
                    "drop": value(drop, 0.011),
                    "drop_per_flip": value(drop / flips, 1e-6),
                    "rank": 1 + at if kind == "layer" else None,
                }
            )
    return found


def _algebra(several: list[str], pruners: tuple[Pruner, ...]) -> list[Row]:
    found = []
    for name, pruner in zip(several, pruners, strict=False):
        at_home = pruner[3]
        done = [
            *((op, kind, 3.0, None) for op in ("union", "intersection") for kind in ("own", "matched")),
            ("majority", "own", 3.0, 0.0),
            ("majority", "matched", 3.0, 0.004),
            ("symmetric-difference", "own", 2.0, None),
            ("symmetric-difference", "matched", 2.0, None),
            ("random", "matched", 3.0, None),
            ("members", "own", 3.0, 0.0),
            *(("consensus", "matched", float(j), 0.002 * (j - 1)) for j in (1, 2, 3)),
        ]
        for operation, kind, masks, gain in done:
            lost = CHANCE - at_home if gain is None else gain
            found.append(
                {
                    "population": name,
                    "operation": operation,
                    "density_kind": kind,
                    "masks": masks,
                    "density": 0.8 if (operation, kind) == ("union", "own") else 0.5,
                    "sets": 2,
                    **header(),
                    "accuracy": value(at_home + lost, None, why="an interval needs at least 3 draws"),
                    "gain": value(lost, None, why="an interval needs at least 3 draws"),
                }
            )
    return found


def _transfer(names: list[str], pruners: tuple[Pruner, ...]) -> list[Row]:
    found = []
    for name, pruner in zip(names, pruners, strict=True):
        for weights in ("own", "same-draw", "other-draw", "fresh", "random"):
            if weights == "same-draw" and not pruner[1]:
                continue
            reached = {"own": pruner[3], "same-draw": 0.31}.get(weights, CHANCE + 0.01)
            change = value(reached - pruner[3], None if weights == "own" else 0.01)
            row = {"population": name, "weights": weights, "members": 3, **header()}
            found.append({**row, "accuracy": value(reached, 0.012), "change": change})
    return found


def reestimate(results: Row) -> None:
    """As if the network had running statistics."""
    for key in KEYS:
        for row in results[key]:
            row["statistics"] = "re-estimate"
    results["landscape_work"].update(statistics="re-estimate", batches=8, statistics_images=1024)
