import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance

from masklab.analysis import distances
from masklab.archive import Archive
from masklab.errors import ArchiveError, ConfigError

from . import builder


@st.composite
def layered_masks(draw):
    """Two to five masks of one to three layers, each layer keeping at least one weight."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    members = draw(st.integers(2, 5))
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    layers = []
    for size in sizes:
        layer = random.random_sample((members, size)) < draw(st.floats(0, 1))
        layer[np.arange(members), random.randint(0, size, members)] = True
        layers.append(layer)
    return layers


def counted(layers):
    """The `Distances` of masks in memory, by plain loops."""
    members = len(layers[0])
    intersections = np.array(
        [[[(a & b).sum() for b in layer] for a in layer] for layer in layers], dtype=np.int64
    )
    return distances.Distances(
        [f"p/{index:04d}" for index in range(members)],
        [f"layer{at}" for at in range(len(layers))],
        np.array([layer.shape[1] for layer in layers], dtype=np.int64),
        intersections,
    )


@given(layered_masks())
@settings(deadline=None)
def test_distances_agree_with_scipy(layers):
    found = counted(layers)
    whole = np.concatenate(layers, axis=1)
    for layer, masks in [(None, whole), *zip(found.layers, layers, strict=True)]:
        for oracle, measured in (
            (distance.hamming, found.hamming(layer)),
            (distance.jaccard, found.jaccard(layer)),
        ):
            expected = [[oracle(first, second) for second in masks] for first in masks]
            np.testing.assert_allclose(measured, expected, rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(found.kept(layer), masks.sum(axis=1))
        np.testing.assert_allclose(found.jaccard_similarity(layer), 1 - found.jaccard(layer), atol=1e-15)
        assert (found.hamming(layer) == found.hamming(layer).T).all()


def test_stored_masks_are_measured_layer_by_layer(tmp_path):
    masks = builder.random_masks({"a": 0.3, "b": 0.6}, members=3)
    found = distances.measure(builder.build(tmp_path, masks))
    flat = [mask for members in masks.values() for mask in members]
    assert found.ids == [f"{name}/{index:04d}" for name in "ab" for index in range(3)]
    assert found.layers == ["conv1", "conv2", "conv10", "fc"]  # network order, not alphabetical
    for layer in found.layers:
        for (i, first), (j, second) in itertools.product(enumerate(flat), repeat=2):
            shared = int((first[layer] & second[layer]).sum())
            union = int((first[layer] | second[layer]).sum())
            assert found.intersection_count(layer)[i, j] == shared
            assert found.jaccard_similarity(layer)[i, j] == shared / union
            assert found.hamming(layer)[i, j] == (first[layer] ^ second[layer]).mean()


def test_jaccard_is_the_true_one():
    """Not I/(I+U) = J/(1+J), which a published script computes."""
    masks = np.array([[True, True, True, False, False], [False, True, True, True, False]])
    found = counted([masks])
    assert found.jaccard_similarity()[0, 1] == 2 / 4
    assert found.jaccard()[0, 1] == 1 - 2 / 4


def test_a_choice_of_members_is_measured_in_its_order(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.3}, members=4))
    everything = distances.measure(archive)
    chosen = distances.measure(archive, ["a/0003", "a/0001"])
    assert chosen.ids == ["a/0003", "a/0001"]
    assert chosen.hamming()[0, 1] == everything.hamming()[3, 1]


def test_no_stored_members(tmp_path):
    archive = builder.build(tmp_path, {"a": [None, None]})
    with pytest.raises(ArchiveError, match=f"no members are stored in {tmp_path}"):
        distances.measure(archive)


def test_members_with_other_layers_are_refused(tmp_path):
    other = {"conv1": (4, 3, 3, 3)}
    masks = {"a": [builder.random_mask(0, 0.5)], "b": [builder.random_mask(0, 0.5, other)]}
    builder.build(tmp_path, masks)
    with pytest.raises(ArchiveError, match="has other layers than"):
        distances.measure(Archive(tmp_path))


def test_unknown_layer():
    with pytest.raises(ConfigError, match="unknown layer 'layer7'"):
        counted([np.ones((2, 3), dtype=bool)]).hamming("layer7")


def test_the_name_of_a_population_stands_for_its_members(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.3, "b": 0.5}, members=3))
    assert distances.measure(archive, "b").ids == ["b/0000", "b/0001", "b/0002"]
    assert distances.measure(archive, "a/0001").ids == ["a/0001"]
    with pytest.raises(ArchiveError, match="'c' is not a member id"):
        distances.measure(archive, "c")


def test_matrices_carry_their_ids(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.3}, members=3))
    found = distances.measure(archive)
    plain, root = found.matrix(), found.matrix("sqrt_hamming", "fc")
    assert plain.ids == tuple(found.ids)
    np.testing.assert_array_equal(plain.values, found.hamming())
    np.testing.assert_allclose(root.values**2, found.hamming("fc"))
    np.testing.assert_array_equal(found.matrix("jaccard").values, found.jaccard())
    with pytest.raises(ConfigError, match="unknown distance 'jacard'"):
        found.matrix("jacard")
