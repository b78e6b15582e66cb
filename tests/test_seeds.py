from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab import seeds

GOLDEN: dict[tuple[Any, ...], tuple[list[int], list[str], list[int]]] = {
    (0, "weights"): (
        [1397475789, 881253427, 2144428129],
        ["-0x1.0719c01ba697cp+0", "0x1.29a71d6bf501dp+0"],
        [0, 4, 2, 1, 3],
    ),
    (0, "weights", 1, "conv1"): (
        [149105926, 89010417, 146030595],
        ["-0x1.3de59807db612p+1", "0x1.0df7b32f07fc5p-1"],
        [4, 2, 0, 3, 1],
    ),
    (0, "refresh", 3, "fc2", 7): (
        [203828683, 287951764, 2099474478],
        ["0x1.f69c1fab2f144p+0", "0x1.f6a846e25eb37p-1"],
        [1, 4, 2, 0, 3],
    ),
    (9223372036854775807, "scores", 1000000, "layer4.1.conv2"): (
        [626704029, 477533460, 1011892204],
        ["-0x1.95a18183cb1d7p+0", "0x1.02a4e2192f8fep+0"],
        [3, 2, 1, 0, 4],
    ),
    (5, "split", 0, "digits"): (
        [236618980, 328193813, 1077800135],
        ["-0x1.cf222dc0d1ac3p-7", "-0x1.a0c4e3f98c138p-1"],
        [2, 0, 3, 1, 4],
    ),
}
"""Path → its first integers below 2³¹, normal values and permutation of 5, each from a fresh stream."""


@pytest.mark.parametrize("path", GOLDEN)
def test_streams_never_change(path: tuple[Any, ...]) -> None:
    integers, normals, permutation = GOLDEN[path]
    assert seeds.stream(*path).randint(0, 2**31, 3).tolist() == integers
    assert [value.hex() for value in seeds.stream(*path).standard_normal(2).tolist()] == normals
    assert seeds.stream(*path).permutation(5).tolist() == permutation


def test_the_sources_are_those_of_the_contract() -> None:
    assert seeds.SOURCES == ("weights", "scores", "batches", "augment", "refresh", "mask", "split")


paths = st.tuples(
    st.integers(0, 2**63 - 1),
    st.sampled_from(seeds.SOURCES),
    st.integers(0, 10**6),
    st.sampled_from(["", "conv1", "conv10", "fc1"]),
    st.integers(0, 10**6),
)


@given(st.sets(paths, min_size=2, max_size=6))
def test_different_paths_are_different_streams(different: set[tuple[Any, ...]]) -> None:
    drawn = {seeds.stream(*path).bytes(16) for path in different}
    assert len(drawn) == len(different)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "weights", 11), (11, "weights", 1)),
        ((0, "weights", 1, "conv1"), (0, "weights", 1, "conv", 1)),
        ((0, "weights", 1, "", 2), (0, "weights", 2, "", 1)),
        ((0, "scores"), (0, "weights")),
    ],
)
def test_numbers_do_not_run_together_in_a_path(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert seeds.stream(*one).bytes(16) != seeds.stream(*other).bytes(16)


@given(paths)
def test_a_path_always_gives_the_same_stream(path: tuple[Any, ...]) -> None:
    first = seeds.stream(*path)
    drawn = first.bytes(32)
    first.standard_normal(7)
    assert seeds.stream(*path).bytes(32) == drawn


def test_streams_of_layers_are_uncorrelated() -> None:
    draws = np.stack([seeds.stream(0, "weights", 0, f"conv{i}").standard_normal(4000) for i in range(8)])
    correlations = np.corrcoef(draws)[np.triu_indices(8, 1)]
    assert abs(correlations).max() < 4.5 / np.sqrt(4000)
