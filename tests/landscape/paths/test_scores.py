"""Masks on this path are what interpolated scores select, as the recipe selects."""

import numpy as np
import pytest
import torch

from masklab.landscape.ends import Ends
from masklab.landscape.paths import all_paths, scores
from tests.landscape.paths import walks
from tests.landscape.paths.conftest import SCORED

POPULATIONS = ["edge-popup", "biprop", "sparse", "signed", "global", "global-signed", "global-sparse"]


def flat(values: dict[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([value.flatten().numpy() for value in values.values()])


def chosen(keys: np.ndarray, kept: int) -> np.ndarray:
    found = np.zeros(len(keys), dtype=bool)
    found[np.argsort(-keys, kind="stable")[:kept]] = True
    return found


@pytest.mark.parametrize("name", POPULATIONS)
def test_masks_are_what_the_scores_select(name: str, wide: Ends) -> None:
    a, b = wide.of(f"{name}/0000"), wide.of(f"{name}/0002")
    grid = [0.0, 0.25, 0.5, 0.75, 1.0]  # products with these have no rounding errors beside the sum's
    found = walks.whole(a, walks.walk(wide, "scores", a.id, b.id, grid)) != 0
    first, last = (flat(wide.scores(end.id)) for end in (a, b))
    for at, t in enumerate(grid):
        key = torch.lerp(torch.from_numpy(first), torch.from_numpy(last), t).numpy()
        np.testing.assert_allclose(key, (1 - t) * first + t * last, rtol=1e-5, atol=1e-7)
        key = key if "signed" in name else np.abs(key)
        if "global" in name:
            wanted = chosen(key, sum(a.kept.values()))
        else:
            ends = np.cumsum([mask.numel() for mask in a.mask.values()])[:-1]
            parts = zip(np.split(key, ends), a.kept.values(), strict=True)
            wanted = np.concatenate([chosen(*part) for part in parts])
        assert np.array_equal(found[at], wanted)
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("name", POPULATIONS)
def test_own_scores_select_the_own_mask(name: str, wide: Ends) -> None:
    a, b = wide.of(f"{name}/0000"), wide.of(f"{name}/0002")
    selected = scores.masks(wide, a, b, torch.tensor([0.0, 1.0]))
    for layer, masks in selected.items():
        assert torch.equal(masks[0], a.mask[layer]) and torch.equal(masks[1], b.mask[layer])


@pytest.mark.parametrize("name", SCORED)
def test_every_pruner_that_shares_has_the_path(name: str, small: Ends) -> None:
    pair = f"{name}/0000", f"{name}/0002"
    text = all_paths()["scores"].why_not(small, *pair)
    assert (text is None) == ("+" not in name) == small.shares(*pair)
    if text is None:
        selected = scores.masks(small, small.of(pair[0]), small.of(pair[1]), torch.tensor([0.0, 1.0]))
        for layer, masks in selected.items():
            for mask, end in zip(masks, pair, strict=True):
                assert torch.equal(mask, small.of(end).mask[layer])
