import hashlib
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
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


def _philox(key: tuple[int, int], counter: int) -> list[int]:
    """One block of Philox4x64-10, written out (Salmon et al. 2011, section 3.3)."""
    word = 2**64 - 1
    x, (k0, k1) = [counter, 0, 0, 0], key
    for _ in range(10):
        first, second = x[0] * 0xD2E7470EE14C6C93, x[2] * 0xCA5A826395121157
        x = [(second >> 64) ^ x[1] ^ k0, second & word, (first >> 64) ^ x[3] ^ k1, first & word]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & word, (k1 + 0xBB67AE8584CAA73B) & word
    return x


@pytest.mark.parametrize("path", GOLDEN)
def test_a_stream_is_philox_keyed_by_the_hash_of_its_path(path: tuple[Any, ...]) -> None:
    seed, source, level, layer, event = (*path, *(0, "", 0)[len(path) - 2 :])
    text = f"masklab\0{seed}\0{source}\0{level}\0{layer}\0{event}"
    key = struct.unpack("<QQ", hashlib.sha256(text.encode()).digest()[:16])
    expected = [(word >> 11) / 2**53 for counter in (1, 2) for word in _philox(key, counter)]
    assert seeds.stream(*path).random_sample(8).tolist() == expected


def test_the_sources_are_those_of_the_contract() -> None:
    assert seeds.SOURCES == ("weights", "scores", "batches", "augment", "refresh", "mask", "split")


paths = st.tuples(
    st.integers(0, 2**63 - 1),
    st.sampled_from(seeds.SOURCES),
    st.integers(0, 10**6),
    st.sampled_from(["", "conv1", "conv10", "fc1"]),
    st.integers(0, 10**6),
)


@settings(deadline=None)
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


@settings(deadline=None)
@given(paths)
def test_a_path_always_gives_the_same_stream(path: tuple[Any, ...]) -> None:
    first = seeds.stream(*path)
    drawn = first.bytes(32)
    first.standard_normal(7)
    assert seeds.stream(*path).bytes(32) == drawn


def test_streams_of_layers_are_uncorrelated() -> None:
    draws = np.stack([seeds.stream(0, "weights", 0, f"conv{i}").standard_normal(4000) for i in range(8)])
    correlations = np.asarray(np.corrcoef(draws))[np.triu_indices(8, 1)]
    assert abs(correlations).max() < 4.5 / np.sqrt(4000)
