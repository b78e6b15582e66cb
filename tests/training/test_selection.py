"""Exact counts and the tie rule, against a stable sort."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from masklab.training import selection


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements=st.sampled_from([0, 1, 2, 2.5, 9]),
    ),
    st.data(),
)
def test_top_mask_is_a_stable_sort(key: np.ndarray, data: st.DataObject) -> None:
    kept = data.draw(st.integers(1, key.shape[1]))
    mask = selection.top_mask(torch.from_numpy(key), kept).numpy()
    for row, chosen in zip(key, mask, strict=True):
        order = np.argsort(-row, kind="stable")
        assert set(np.flatnonzero(chosen)) == set(order[:kept].tolist())


def test_rank_key_and_gradient_follow_the_rank() -> None:
    scores = torch.tensor([[-2.0, 0.0, 1.0]])
    gradient, weight = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.5, 0.5, -1.0]])
    assert selection.rank_key(scores, "abs").tolist() == [[2, 0, 1]]
    assert selection.rank_key(scores, "signed") is scores
    assert selection.score_gradient(gradient, weight, scores, "abs").tolist() == [[-0.5, 0, -3]]
    assert selection.score_gradient(gradient, weight, scores, "signed").tolist() == [[0.5, 1, -3]]


@given(
    st.lists(
        hnp.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2])),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_global_masks_are_a_stable_sort_over_all_layers(keys: list[np.ndarray], data: st.DataObject) -> None:
    whole = np.concatenate(keys, axis=1)
    kept = data.draw(st.integers(1, whole.shape[1]))
    masks = selection.global_masks([torch.from_numpy(key) for key in keys], kept)
    assert [mask.shape for mask in masks] == [key.shape for key in keys]
    for row, chosen in zip(whole, torch.cat(masks, dim=1).numpy(), strict=True):
        order = np.argsort(-row, kind="stable")
        assert set(np.flatnonzero(chosen)) == set(order[:kept].tolist())


def test_gradients_of_lower_precision_are_multiplied_in_fp32() -> None:
    gradient = torch.tensor([1.0 / 3], dtype=torch.bfloat16)
    weight, scores = torch.tensor([1.0000001]), torch.tensor([-1.0])
    found = selection.score_gradient(gradient, weight, scores, "abs")
    assert found.dtype == torch.float32
    assert found.item() == -np.float32(gradient.item()) * np.float32(1.0000001)
