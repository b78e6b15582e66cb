"""Synthetic studies on disk: masks given by the test, everything else plausible and fixed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from masklab import bits
from masklab.analysis import results, sections
from masklab.archive import Archive, Content, Layer, Recipe, directory, files, member, study_file

SHAPES = {"conv1": (4, 3, 3, 3), "conv2": (8, 4, 3, 3), "conv10": (8, 8, 3, 3), "fc": (10, 32)}
"""Layers in forward order, which is not their alphabetical order."""

TESTED = 400

Masks = Mapping[str, Sequence[Mapping[str, np.ndarray] | None]]


def random_mask(
    seed: int, density: float, shapes: Mapping[str, tuple[int, ...]] = SHAPES
) -> dict[str, np.ndarray]:
    """One mask that keeps `kept_count` random weights of every layer."""
    random = np.random.RandomState(seed)
    mask = {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        kept = bits.kept_count(size, density)
        mask[name] = (random.permutation(size) < kept).reshape(shape)
    return mask


def random_masks(populations: Mapping[str, float], members: int, seed: int = 0) -> dict[str, list[Any]]:
    """Independent random masks: population name → density."""
    return {
        name: [random_mask(seed + 1000 * at + index, density) for index in range(members)]
        for at, (name, density) in enumerate(populations.items())
    }


def build(
    folder: Path,
    masks: Masks,
    *,
    draws: int = 1,
    failed: Sequence[str] = (),
    overrides: Mapping[str, dict[str, Any]] | None = None,
    events: int = 0,
    rows: Mapping[str, dict[str, Any]] | None = None,
    trained: Sequence[str] = (),
    snapshots: Mapping[str, Mapping[int, Mapping[str, np.ndarray]]] | None = None,
    epochs: int = 2,
) -> Archive:
    """Write a study and open it.

    Args:
        folder: Directory of the study.
        masks: Population → one mask per member; None for a member that is not stored.
        draws: Draws of base weights; member i uses draw i mod `draws`.
        failed: Ids of members, given as None, whose training failed.
        overrides: Population → its overrides.
        events: Refresh events per member.
        rows: Population → further fields of its entry in the study.
        trained: Populations whose base weights count as trained.
        snapshots: Member id → epochs done → mask at that time.
        epochs: Epochs of the training.
    """
    layers = _layers(masks)
    populations = []
    for name, members in masks.items():
        stored = [mask for mask in members if mask is not None]
        entry = _population(name, layers, len(members), stored[0] if stored else None)
        entry["overrides"] = (overrides or {}).get(name, {})
        entry |= (rows or {}).get(name, {})
        populations.append(entry)
        for index, mask in enumerate(members):
            if mask is not None:
                content = replace(
                    _content(entry, index, mask, draws, events),
                    origin_kind="trained" if name in trained else None,
                    snapshots=(snapshots or {}).get(f"{name}/{index:04d}", {}),
                )
                member.write(directory.member_path(folder, name, index), content)
            elif f"{name}/{index:04d}" in failed:
                record = {"cause": "loss is not finite", "step": 7}
                files.write_json(directory.failure_path(folder, name, index), record)
    files.write_json(folder / directory.STUDY, _study(populations, layers, draws, epochs))
    return Archive(folder)


def assembled(archive: Archive, **options: Any) -> dict[str, Any]:
    """What an analysis of a study finds, not written."""
    material = sections.gather(archive)
    return results.assemble(material, sections.measure(material), **options)


def _layers(masks: Masks) -> dict[str, tuple[int, ...]]:
    for members in masks.values():
        for mask in members:
            if mask is not None:
                return {name: layer.shape for name, layer in mask.items()}
    return dict(SHAPES)


def _population(
    name: str, layers: Mapping[str, tuple[int, ...]], members: int, mask: Mapping[str, np.ndarray] | None
) -> dict[str, Any]:
    sizes = {layer: int(np.prod(shape)) for layer, shape in layers.items()}
    kept = {layer: int(mask[layer].sum()) if mask and layer in mask else sizes[layer] for layer in layers}
    return {
        "name": name,
        "pruner": name.partition("-d")[0],
        "gate": name.partition("-d")[0],
        "refresh": None,
        "control": None,
        "density": round(sum(kept.values()) / sum(sizes.values()), 2),
        "members": members,
        "options": {},
        "overrides": {},
        "digest": f"digest of {name}",
        "layers": [{"name": layer, "size": sizes[layer], "kept": kept[layer]} for layer in layers],
    }


def _content(
    population: Mapping[str, Any], index: int, mask: Mapping[str, np.ndarray], draws: int, events: int
) -> Content:
    recipe = Recipe(0, index % draws, index, "kaiming-normal", 1.0)
    base = {
        name: recipe.initial(Layer(name, layer.shape, int(layer.sum()))).reshape(layer.shape)
        for name, layer in mask.items()
    }
    copied = ("pruner", "gate", "refresh", "control", "options", "density")
    facts = {
        **{key: population[key] for key in copied},
        "population": population["name"],
        "index": index,
        "levels": {"weights": index % draws, "scores": index, "batches": index},
        "recipe_digest": "digest of the recipe",
        "population_digest": population["digest"],
        "network": {"name": "conv2"},
        "data": {
            "name": "synthetic",
            "digest": "digest of the data",
            "classes": ["a", "b"],
            "mean": [0.0],
            "deviation": [1.0],
        },
        "evaluation": {"batch_size": 64, "threads": 1, "device": "cpu"},
        "accuracy": {
            "test": (50 + index) / 100,
            "validation": (40 + index) / 100,
            "best": {"epoch": 2, "validation": (45 + index) / 100, "test": (55 + index) / 100},
            "n_test": TESTED,
            "n_validation": 100,
        },
        "history": {"loss": [2.0, 1.0], "validation": [0.3, 0.4]},
        "events": list(range(events)),
    }
    return Content(facts=facts, recipe=recipe, masks=mask, gains={}, base=base)


def _study(
    populations: list[dict[str, Any]], layers: Mapping[str, tuple[int, ...]], draws: int, epochs: int
) -> dict[str, Any]:
    described = [
        {"name": name, "shape": list(shape), "size": int(np.prod(shape))} for name, shape in layers.items()
    ]
    study: dict[str, Any] = {
        "schema": 1,
        "name": "synthetic",
        "seeds": {"study": 0, "weights": draws, "scores": "member", "batches": "member", "crossed": False},
        "data": {
            "name": "synthetic",
            "path": None,
            "digest": "digest of the data",
            "validation_fraction": 0.1,
            "test": TESTED,
            "classes": list("0123456789"),
            "input_shape": [1, 8, 8],
        },
        "network": {"name": "conv2", "width": 1.0, "activation": "relu", "layers": described},
        "training": {"epochs": epochs},
        "analysis": {"interpolation_pairs": 6, "interpolation_points": 11},
        "populations": populations,
        "warnings": [],
        "provenance": {"wall_s": {}},
    }
    return {**study, "recipe_digest": study_file.recipe_digest(study)}
