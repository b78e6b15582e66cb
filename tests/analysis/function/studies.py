"""Synthetic studies on disk whose members predict what the test says, on a data set that is really there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from masklab import data as datasets
from masklab.analysis import design, distances, function
from masklab.archive import Archive, directory, files, member, study_file
from tests.analysis import builder


def probabilities(random: np.random.RandomState, classes: np.ndarray, labels: int) -> np.ndarray:
    """Float16 probabilities `[*, labels]` whose largest belongs to the class given."""
    raw = random.random_sample((*classes.shape, labels)) + 0.05
    np.put_along_axis(raw, classes[..., None].astype(int), raw.max(axis=-1, keepdims=True) + 0.2, axis=-1)
    return (raw / raw.sum(axis=-1, keepdims=True)).astype(np.float16)


def npz(path: Path, truth: np.ndarray, labels: int) -> str:
    """Write a data set with these test labels; its digest."""
    train = np.arange(labels)
    np.savez(
        path,
        train_images=np.zeros((labels, 2, 2), np.uint8),
        train_labels=train,
        test_images=np.zeros((len(truth), 2, 2), np.uint8),
        test_labels=truth,
    )
    return datasets.content_digest(datasets.load("arrays", str(path)))


def build(
    folder: Path,
    predicted: Mapping[str, np.ndarray],
    truth: np.ndarray,
    labels: int,
    *,
    masks: builder.Masks | None = None,
    draws: int = 1,
    without: tuple[str, ...] = (),
    probability: np.ndarray | None = None,
) -> Archive:
    """Write a study and open it.

    Args:
        folder: Where everything goes; the study itself is in `out` below it.
        predicted: Population → predicted classes `[members, images]`.
        truth: True classes.
        labels: Number of classes.
        masks: Population → one mask per member; random ones by default.
        draws: Draws of base weights.
        without: Ids of members whose predictions are not known.
        probability: Probabilities of every member, instead of made up ones.
    """
    random = np.random.RandomState(0)
    chosen = masks or {
        name: [builder.random_mask(1000 * at + index, 0.5) for index in range(len(classes))]
        for at, (name, classes) in enumerate(predicted.items())
    }
    out = folder / "out"
    builder.build(out, chosen, draws=draws)
    study = files.read_json(out / directory.STUDY)
    for entry in study["populations"]:
        for index, classes in enumerate(predicted[entry["name"]]):
            content = builder._content(entry, index, chosen[entry["name"]][index] or {}, draws, 0)
            facts: dict[str, Any] = dict(content.facts)
            accuracy = int((classes == truth).sum()) / len(truth)
            facts["accuracy"] = {**facts["accuracy"], "test": accuracy, "n_test": len(truth)}
            known = f"{entry['name']}/{index:04d}" not in without
            soft = probabilities(random, classes, labels) if probability is None else probability
            content = replace(
                content,
                facts=facts,
                prediction=classes if known else classes[:0],
                probability=soft if known else np.zeros((0, 0), np.float16),
            )
            member.write(directory.member_path(out, entry["name"], index), content)
    digest = npz(folder / "data.npz", truth, labels)
    study["data"] |= {
        "name": "arrays",
        "path": str(folder / "data.npz"),
        "digest": digest,
        "test": len(truth),
        "classes": list(map(str, range(labels))),
    }
    study["recipe_digest"] = study_file.recipe_digest(study)
    files.write_json(out / directory.STUDY, study)
    return Archive(out)


def guesses(random: np.random.RandomState, members: int, truth: np.ndarray, labels: int) -> np.ndarray:
    """Predicted classes `[members, images]`, most of them true."""
    classes = random.randint(0, labels, (members, len(truth)))
    return np.where(random.random_sample(classes.shape) < 0.7, truth, classes).astype(np.uint8)


LABELS = 4
"""Classes of `of_guesses`."""


def of_guesses(folder: Path, truth: np.ndarray, members: tuple[int, ...] = (5, 4), **options: Any) -> Archive:
    """A study of members of populations a and b that are right about most images; see `build`."""
    random = np.random.RandomState(1)
    predicted = {
        name: guesses(random, count, truth, LABELS) for name, count in zip("ab", members, strict=False)
    }
    return build(folder, predicted, truth, LABELS, **options)


def rows(archive: Archive, seed: int = 0) -> dict[str, Any]:
    """What `results.json` holds of the predictions, as read from JSON."""
    found = function.rows(archive, design.of(archive), distances.measure(archive), seed)
    return json.loads(json.dumps(found, allow_nan=False))
