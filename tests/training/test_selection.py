"""Exact counts and the tie rule, against a stable sort."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from masklab.training import guess as guesses
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


@given(st.integers(1, 400), st.integers(0, 2**31 - 1), st.sampled_from([0.0, 1e-3, 0.1, 5.0]), st.booleans())
def test_a_guess_never_changes_a_mask(kept: int, seed: int, movement: float, coarse: bool) -> None:
    random = np.random.RandomState(seed)
    key = random.standard_normal((2, 400)).astype(np.float32)
    guess = guesses.Guess.none(2)
    for _ in range(6):
        key += movement * random.standard_normal(key.shape).astype(np.float32)
        ranked = np.round(key, 1) if coarse else key  # coarse: many ties
        given_key = torch.from_numpy(np.ascontiguousarray(ranked))
        assert torch.equal(selection.top_mask(given_key, kept, guess), selection.top_mask(given_key, kept))


def test_a_good_guess_is_used_and_a_bad_one_is_not() -> None:
    key = np.arange(1000, dtype=np.float32)
    guess = guesses.Guess.none(1)
    assert guess.mask(0, key, 300) is None
    guess.learn(0, 700.0)
    for kept in (300, 299):
        found = guess.mask(0, key, kept)
        assert found is not None
        assert np.array_equal(np.flatnonzero(found), np.arange(1000 - kept, 1000))
    assert guess.mask(0, key, 100) is None  # too far away
    assert guess.mask(0, np.full(1000, 700.0, np.float32), 300) is None  # too many near it
    assert guess.mask(0, np.full(1000, np.nan, np.float32), 300) is None
