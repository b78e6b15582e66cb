"""Studies to explore: those of the report's builder with curves, and many members made in memory."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from masklab.report import load, models, records

from .. import builder, walked
from ..recipe import HOSTILE

HOSTILE_NAMES = {
    "edge-popup-d0.5": HOSTILE + "$\\frac{1}{$",
    "biprop-d0.5": "__proto__",
    "biprop+recycle-d0.5": "a'b\"c</script>",
}

Line = tuple[str, str]
"""Ids of the members at both ends."""


def small(folder: Path, **options: Any) -> load.Analysis:
    """Three populations of six members over two draws, with every line between its members."""
    results = builder.build(folder, landscape=True, **options)
    curves(folder, results, _pairs(results))
    return load.read(folder)


def hostile(folder: Path) -> load.Analysis:
    """The same with names that are markup, quotes and words of JavaScript."""
    results = builder.build(folder, landscape=True)
    text = json.dumps(results)
    for name, other in HOSTILE_NAMES.items():
        text = text.replace(f'"{name}', json.dumps(other)[:-1])
    results = json.loads(text)
    results["study"]["name"] = HOSTILE
    results["members"][0]["accuracy"] = None
    builder.rewrite(folder, results)
    path = folder / "analysis" / "overlap.npz"
    with np.load(path) as arrays:
        kept = {**arrays, "ids": np.array([member["id"] for member in results["members"]])}
    np.savez(path, **kept)  # pyright: ignore[reportArgumentType]
    curves(folder, results, _pairs(results))
    return load.read(folder)


def _pairs(results: dict[str, Any]) -> list[Line]:
    return list(itertools.combinations([member["id"] for member in results["members"]], 2))


def kind(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """The columns that say of what kind a pair of members is."""
    same = a["population"] != b["population"] and a["index"] == b["index"]
    return {
        "a": a["population"],
        "b": b["population"],
        "block": "within" if a["block"] == b["block"] else "across",
        "seed": "same" if same else "different",
    }


def accuracies(line: Line, points: int = 11) -> list[float]:
    """Accuracies on a line, from its ends' names alone."""
    random = np.random.RandomState(sum(map(ord, "".join(line))) % 2**31)
    t = np.linspace(0.0, 1.0, points)
    first, last, depth = 0.8 + 0.1 * random.random_sample(3)
    return ((1.0 - t) * first + t * last - (depth - 0.6) * 4.0 * t * (1.0 - t)).tolist()


def curves(folder: Path, results: dict[str, Any], lines: Sequence[Line]) -> pd.DataFrame:
    """Write `interpolation.csv` as an analysis does, with rows that are no straight lines on test images."""
    members = {member["id"]: member for member in results["members"]}
    rows = []
    for line in lines:
        own = {**kind(*(members[name] for name in line)), "member_a": line[0], "member_b": line[1]}
        for path, order, split in (("linear", 0, "test"), ("linear", 0, "train"), ("ranked", 1, "test")):
            values = accuracies(line) if (path, split) == ("linear", "test") else [0.01] * 11
            rows += [
                {
                    **own,
                    "path": path,
                    "order": order,
                    "split": split,
                    "t": at / 10,
                    "accuracy": value,
                    "loss": 1.0,
                }
                for at, value in enumerate(values)
            ]
    table = pd.DataFrame(rows)
    table.to_csv(folder / "analysis" / "interpolation.csv", index=False)
    return table


def many(plain: load.Analysis, folder: Path, members: int, lines: int = 500) -> load.Analysis:
    """A study of many members in memory; only its curves are on disk."""
    random = np.random.RandomState(0)
    drawn = [
        plain.results.members[0].model_copy(
            update={
                "id": f"{name}/{index:04d}",
                "population": name,
                "index": index,
                "block": index % 2,
                "accuracy": 0.8 + 0.1 * random.random_sample(),
            }
        )
        for index in range(-(-members // 3))
        for name in plain.names
    ][:members]
    where = random.standard_normal((members, 8))
    where[:, 0] += [3 * plain.names.index(member.population) for member in drawn]
    where[:, 1] += [5 * member.block for member in drawn]
    squares = (where**2).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2.0 * where @ where.T, 0.0))
    hamming = 0.5 * apart / apart.max()
    np.fill_diagonal(hamming, 0.0)
    embeddings = [
        row.model_copy(
            update={
                "points": _points(drawn, where[:, :2]),
                "twin": row.twin.model_copy(
                    update={"points": _points(drawn, random.standard_normal((members, 2)))}
                )
                if row.twin
                else None,
            }
        )
        for row in plain.results.embeddings
    ]
    results = plain.results.model_copy(update={"members": drawn, "embeddings": embeddings})
    found = replace(
        plain, directory=folder, results=results, distances=load.Distances([m.id for m in drawn], hamming)
    )
    (folder / "analysis").mkdir(parents=True, exist_ok=True)
    ends = random.randint(0, members, (4 * lines, 2))
    chosen = list({(drawn[i].id, drawn[j].id): None for i, j in ends if i < j})[:lines]
    curves(folder, {"members": [member.model_dump() for member in drawn]}, chosen)
    return found


def _points(members: Sequence[models.Member], where: np.ndarray) -> list[records.Point]:
    return [
        records.Point(id=member.id, x=float(x), y=float(y))
        for member, (x, y) in zip(members, where, strict=True)
    ]


CHANCE = walked.CHANCE
