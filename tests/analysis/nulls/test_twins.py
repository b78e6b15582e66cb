import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from masklab import bits
from masklab.analysis import distances
from masklab.analysis.nulls import twins


def drawn(size, kept, seed):
    return twins.draw(size, np.array(kept), [np.random.RandomState(seed)] * len(kept))


@given(st.integers(1, 300), st.integers(0, 2**31), st.data())
@settings(deadline=None)
def test_kept_counts_are_exact(size, seed, data):
    kept = data.draw(st.lists(st.integers(0, size), min_size=1, max_size=4))
    rows = drawn(size, kept, seed)
    assert rows.shape == (len(kept), bits.packed_size(size))
    assert bits.unpack(rows, size).sum(axis=1).tolist() == kept
    assert bits.count(rows).tolist() == kept  # padding is zero


@pytest.mark.parametrize("kept", [0, 1, 9, 5000, 99_990, 99_999, 100_000])
def test_extreme_counts_of_a_large_layer(kept):
    rows = drawn(100_000, [kept], 0)
    assert bits.count(rows).tolist() == [kept]


@pytest.mark.parametrize(("size", "kept"), [(6, 3), (7, 2), (6, 5), (5, 1), (9, 8)])
def test_every_mask_is_equally_likely(size, kept):
    """Chi-square against the uniform distribution on all masks of that count."""
    repeats = 400 * len(list(itertools.combinations(range(size), kept)))
    rows = drawn(size, [kept] * repeats, 3)
    numbers = bits.unpack(rows, size) @ (1 << np.arange(size))
    seen = np.unique(numbers, return_counts=True)[1]
    assert len(seen) == len(list(itertools.combinations(range(size), kept)))
    assert stats.chisquare(seen).pvalue > 0.001


@pytest.mark.parametrize("kept", [300, 40, 985])  # mended by trying, and from a list, up and down
def test_every_pair_of_weights_is_kept_equally_often(kept):
    size, members = 1000, 4000
    rows = drawn(size, [kept] * members, 4)
    mask = bits.unpack(rows, size)
    column = mask.sum(axis=0)
    rate = kept / size
    # columns have the covariance of draws without replacement, so this sum is chi-square with N − 1
    found = ((column - members * rate) ** 2).sum() / (members * rate * (1 - rate)) * (size - 1) / size
    assert 0.001 < stats.chi2(size - 1).cdf(found) < 0.999
    neighbours = (mask[:, 1:] & mask[:, :-1]).mean(axis=1)
    expected = kept * (kept - 1) / (size * (size - 1))
    assert abs(neighbours.mean() - expected) < 4 * neighbours.std() / np.sqrt(members)


def test_masks_are_independent():
    """Intersections have the hypergeometric distribution."""
    rows = drawn(60, [20, 33] * 4000, 5)
    mask = bits.unpack(rows, 60)
    shared = (mask[::2] & mask[1::2]).sum(axis=1)
    law, at = (60, 20, 33), np.arange(8, 15)
    seen = [np.sum(shared < 8), *(np.sum(shared == one) for one in at), np.sum(shared > 14)]
    weight = np.array(
        [stats.hypergeom.cdf(7, *law), *stats.hypergeom.pmf(at, *law), stats.hypergeom.sf(14, *law)]
    )
    assert stats.chisquare(seen, len(shared) * weight / weight.sum()).pvalue > 0.001


def members():
    random = np.random.RandomState(0)
    layers = [random.random_sample((5, size)) < 0.4 for size in (40, 900)]
    return distances.Distances(
        [f"p/{index:04d}" for index in range(5)],
        ["conv10", "conv2"],
        np.array([40, 900]),
        np.stack([bits.intersections(bits.pack(layer)) for layer in layers]),
    )


def test_twins_have_the_members_counts_and_names():
    found = members()
    made = twins.distances(found, 7, 3)
    assert len(made) == 3
    for twin in made:
        assert (twin.ids, twin.layers, twin.sizes.tolist()) == (found.ids, found.layers, found.sizes.tolist())
        for layer in found.layers:
            assert twin.kept(layer).tolist() == found.kept(layer).tolist()
            counts = twin.intersection_count(layer)
            assert (counts == counts.T).all()
            assert (counts <= np.minimum.outer(counts.diagonal(), counts.diagonal())).all()


def test_a_twin_depends_on_its_number_and_the_seed_alone():
    found = members()
    first, more, other = (twins.distances(found, seed, number) for seed, number in ((7, 2), (7, 3), (8, 2)))
    for one, same in zip(first, more, strict=False):
        np.testing.assert_array_equal(one.intersections, same.intersections)
    assert (first[0].intersections != first[1].intersections).any()
    assert (first[0].intersections != other[0].intersections).any()


def test_no_members_have_empty_twins():
    none = distances.Distances([], [], np.zeros(0, np.int64), np.zeros((0, 0, 0), np.int64))
    assert [twin.ids for twin in twins.distances(none, 0, 2)] == [[], []]
    assert twins.replicates(0, 0) == twins.MOST


@given(st.integers(1, 5000), st.integers(1, 10**8))
def test_the_number_of_twins_falls_with_the_study(number, size):
    found = twins.replicates(number, size)
    assert (number * size > 2**33) == (found == 0) and found <= twins.MOST
    assert twins.replicates(number + 1, size) <= found >= twins.replicates(number, 2 * size)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("memory", [0, 2 * 900 + 2 * 2 * 113, 2 * 900 + 4 * 113, 2 * 900 + 5 * 113, 10**6])
def test_memory_and_threads_change_no_count(memory, threads):
    found = members()
    for one, same in zip(
        twins.distances(found, 7, 2),
        twins.distances(found, 7, 2, memory=memory, threads=threads),
        strict=True,
    ):
        np.testing.assert_array_equal(one.intersections, same.intersections)


def test_as_few_members_are_held_as_the_memory_asks_for(monkeypatch):
    bands, draw = [], twins.draw
    monkeypatch.setattr(
        twins, "draw", lambda size, kept, own: bands.append(len(kept)) or draw(size, kept, own)
    )
    twins.distances(members(), 7, 1, memory=2 * 900 + 4 * bits.packed_size(900))
    assert max(bands) == 5 and bands[1:] == [2, 2, 1, 2, 1, 1]  # all of the small layer, then pairs of bands


def test_members_and_layers_are_drawn_apart():
    """Of equal kept counts and sizes; a stream that served twice would draw the same mask twice."""
    kept = np.full((3, 4, 4), 200)
    found = distances.Distances([f"p/{at:04d}" for at in range(4)], ["a", "b", "c"], np.full(3, 400), kept)
    first, second = (twin.intersections for twin in twins.distances(found, 0, 2))
    apart = ~np.eye(4, dtype=bool)
    pairs = np.stack([*first[:, apart], *second[:, apart]])
    assert (pairs < 200).all() and len(np.unique(pairs, axis=0)) == 6
