"""Small members and studies to store."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from masklab import bits
from masklab.archive import Archive, Content, Layer, Recipe, directory, files, member, study_file

SHAPES = {"conv2": (3, 2, 3, 3), "conv1": (2, 1, 3, 3), "fc": (4, 5)}
"""Layers in an order that is not alphabetical."""

RECIPE = Recipe(seed=5, level=1, refresh_level=2, init="kaiming-normal", factor=0.5)


def masks(seed: int, density: float, shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> dict[str, np.ndarray]:
    """Random masks with `kept_count` kept weights per layer."""
    random, drawn = np.random.RandomState(seed), {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        drawn[name] = (random.permutation(size) < bits.kept_count(size, density)).reshape(shape)
    return drawn


def base(drawn: Mapping[str, np.ndarray], recipe: Recipe = RECIPE) -> dict[str, np.ndarray]:
    """Initial base weights for those masks."""
    return {
        name: recipe.initial(Layer(name, mask.shape, 1)).reshape(mask.shape) for name, mask in drawn.items()
    }


def content(
    population: str = "biprop-d0.5",
    index: int = 0,
    drawn: Mapping[str, np.ndarray] | None = None,
    **facts: Any,
) -> Content:
    """A member whose base weights are the recipe's."""
    drawn = masks(index, 0.5) if drawn is None else drawn
    described = {
        "population": population,
        "index": index,
        "pruner": "biprop",
        "gate": "biprop",
        "density": 0.5,
        "levels": {"weights": 1, "scores": index},
        "population_digest": f"digest of {population}",
        "accuracy": {"test": 0.5 + index / 100, "validation": None, "best": None, "n_test": 100},
        "evaluation": {"batch_size": 64, "threads": 1, "device": "cpu"},
        "network": {"name": "mlp"},
        "data": {"mean": [0.0], "deviation": [1.0]},
        "history": {"loss": [2.0, 1.0], "validation": []},
        "events": [],
    }
    return Content(
        facts={**described, **facts}, recipe=RECIPE, masks=drawn, gains={"fc": 0.25}, base=base(drawn)
    )


def tiny() -> Content:
    """One layer of eight weights, two images, three classes; under 1,500 bytes as a file."""
    drawn = {"fc": np.array([[1, 0, 0, 1], [1, 1, 0, 0]], dtype=bool)}
    return Content(
        facts={"population": "p", "index": 3},
        recipe=RECIPE,
        masks=drawn,
        gains={"fc": 0.25},
        base=base(drawn),
        prediction=np.array([2, 0]),
        probability=np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]], dtype=np.float16),
    )


def tiny_with_everything() -> Content:
    """As `tiny`, with trained weights, two snapshots, a buffer and a parameter without axes."""
    plain = tiny()
    return replace(
        plain,
        base={"fc": np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)},
        origin_kind="trained",
        snapshots={
            epoch: {"fc": np.roll(plain.masks["fc"], shift, axis=1)} for epoch, shift in ((2, 1), (0, 2))
        },
        buffers={"norm.running_mean": np.array([0.5, -2.0], dtype=np.float32)},
        parameters={"scale": np.array(3.0, dtype=np.float32)},
    )


def study(populations: Mapping[str, int]) -> dict[str, Any]:
    """What `study.json` must say: population → number of members."""
    layers = [
        {"name": name, "shape": list(mask.shape), "size": mask.size} for name, mask in masks(0, 0.5).items()
    ]
    data = {"name": "synthetic", "digest": "", "classes": ["a", "b"], "input_shape": [1, 2, 2]}
    record: dict[str, Any] = {
        "name": "synthetic",
        "seeds": {"study": 0},
        "data": {**data, "validation_fraction": 0.1},
        "network": {"name": "mlp", "width": 1.0, "activation": "relu", "layers": layers},
        "training": {"epochs": 2},
        "analysis": {"interpolation_pairs": 6, "interpolation_points": 11},
        "warnings": [],
        "provenance": {"wall_s": {}},
        "populations": [
            {"name": name, "members": members, "digest": f"digest of {name}"}
            for name, members in populations.items()
        ],
    }
    return {**record, "recipe_digest": study_file.recipe_digest(record)}


def archive(folder: Path, populations: Mapping[str, int], missing: tuple[str, ...] = ()) -> Archive:
    """A study with every member stored except the missing ones."""
    for name, members in populations.items():
        for index in range(members):
            if f"{name}/{index:04d}" not in missing:
                member.write(directory.member_path(folder, name, index), content(name, index))
    files.write_json(folder / directory.STUDY, study(populations))
    return Archive(folder)
