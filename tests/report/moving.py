"""Synthetic snapshots: every mask comes closer to its final self, at equal kept counts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .recipe import LAYERS

EPOCHS = (0, 2, 5, 10, 16)
LAST = 20


def rows(
    names: list[str], members: list, masks: dict, estimate: Callable[[list[float]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of `movement`: whole mask and every layer of every population."""
    random = np.random.RandomState(5)
    snapshots = {epoch: _earlier(random, masks, 0.3 * (1 - epoch / LAST) ** 2) for epoch in EPOCHS}
    snapshots[LAST] = masks
    found = []
    for place, name in enumerate(names):
        own = [row for row, (population, _, _) in enumerate(members) if population == place]
        for layer in ("whole", *LAYERS):
            layers = list(LAYERS) if layer == "whole" else [layer]
            for epoch, to in zip(EPOCHS, (*EPOCHS[1:], LAST), strict=True):
                common = {"population": name, "epoch": epoch, "layer": layer, "members": len(own)}
                step = _hamming(snapshots[epoch], snapshots[to], own, layers) / (to - epoch)
                way = _hamming(snapshots[epoch], masks, own, layers)
                size = sum(LAYERS[one] for one in layers)
                kept = {one: masks[one][own[0]].sum() / LAYERS[one] for one in layers}
                chance = sum(2 * kept[one] * (1 - kept[one]) * LAYERS[one] for one in layers) / size
                found += [
                    {
                        **common,
                        "to": to,
                        "metric": "flipped_per_epoch",
                        "estimate": estimate(step.tolist()),
                        "chance": None,
                    },
                    {
                        **common,
                        "to": LAST,
                        "metric": "to_final",
                        "estimate": estimate(way.tolist()),
                        "chance": float(chance),
                    },
                ]
    return found


def _earlier(random: np.random.RandomState, masks: dict, share: float) -> dict:
    """Masks of which a share of the bits is shuffled."""
    found = {}
    for layer, mask in masks.items():
        found[layer] = mask.copy()
        for row in found[layer]:
            places = np.flatnonzero(random.random_sample(len(row)) < share * random.uniform(0.8, 1.2))
            row[places] = row[random.permutation(places)]
    return found


def _hamming(a: dict, b: dict, own: list[int], layers: list[str]) -> np.ndarray:
    """Fraction of differing bits, member by member."""
    differing = np.concatenate([a[layer][own] != b[layer][own] for layer in layers], axis=1)
    return differing.mean(axis=1)
