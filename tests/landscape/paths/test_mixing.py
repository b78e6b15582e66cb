"""Counts on paths are exact, the gate's rule is applied anew, and it is known who shares base weights."""

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masklab.landscape import mixing
from masklab.landscape.ends import End, blend
from masklab.landscape.paths import Random


@given(st.integers(1, 1000), st.data(), st.integers(0, 10**9))
def test_counts_on_a_grid_are_rounded_half_up(steps: int, data: st.DataObject, number: int) -> None:
    step = data.draw(st.integers(0, steps))
    wanted = (2 * step * number + steps) // (2 * steps)
    for kind in (np.float64, np.float32):
        assert mixing.count(float(kind(step / steps)), number) == wanted


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_counts_elsewhere_are_those_of_the_position(t: float, number: int) -> None:
    near = Fraction(t).limit_denominator(1000)
    exact = near if abs(near - Fraction(t)) <= Fraction(1, 2**25) else Fraction(t)
    assert abs(exact - Fraction(t)) <= Fraction(1, 2**25)
    assert mixing.count(t, number) == math.floor(exact * number + Fraction(1, 2))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.data())
def test_the_first_ones_move(where: list[bool], data: st.DataObject) -> None:
    chosen = torch.tensor(where)
    number = sum(where)
    order = data.draw(st.permutations(range(number)))
    ranks = mixing.numbered(chosen, np.array(order, dtype=np.int64))
    assert ranks[chosen].tolist() == list(order)
    t = [0.0, 0.25, 0.4, 1.0]
    moved = mixing.first(ranks, number, torch.tensor(t))
    for at, row in zip(t, moved, strict=True):
        assert row[chosen].tolist() == [rank < mixing.count(at, number) for rank in order]
        assert not row[~chosen].any()


def end(gate: str, base: np.ndarray, mask: np.ndarray, recipe: object) -> End:
    weight, kept = torch.from_numpy(base), torch.from_numpy(mask)
    one = End("p/0000", gate, {"x": weight}, {"x": kept}, {}, {}, recipe)
    effective = one.with_masks({"x": kept[None]})["x.weight"][0]
    return End("p/0000", gate, {"x": weight}, {"x": kept}, {"x": effective}, {}, recipe)


@pytest.mark.parametrize("number", range(5))
def test_the_gain_is_that_of_the_mask_between(number: int) -> None:
    random = np.random.RandomState(number)
    base = random.standard_normal((6, 5)).astype(np.float32)
    first, last = (random.random_sample((6, 5)) < share for share in (0.5, 0.3))
    a, b = (end("biprop", base, mask, "one draw") for mask in (first, last))
    taken = random.random_sample((4, 6, 5)) < 0.5
    found = mixing.mixed(a, b, {"x": torch.from_numpy(taken)}, torch.tensor([0.2, 0.4, 0.6, 0.8]))["x.weight"]
    for values, own in zip(found.numpy(), taken, strict=True):
        mask = np.where(own, last, first)
        gain = np.abs(base.astype(np.float64))[mask].sum() / mask.sum()
        np.testing.assert_allclose(values, gain * np.sign(base) * mask, rtol=1e-6)


@pytest.mark.parametrize(
    ("gate", "recipe"), [("biprop", None), ("edge-popup", "one draw"), ("biprop", "other")]
)
def test_elsewhere_every_coordinate_has_the_value_of_one_end(gate: str, recipe: object) -> None:
    random = np.random.RandomState(0)
    base = random.standard_normal((2, 6, 5)).astype(np.float32)
    mask = random.random_sample((2, 6, 5)) < 0.5
    a, b = (
        end("biprop", base[0], mask[0], recipe if recipe is None else "one draw"),
        end(gate, base[1], mask[1], recipe),
    )
    assert not mixing.share(a, b)
    taken = random.random_sample((4, 6, 5)) < 0.5
    found = mixing.mixed(a, b, {"x": torch.from_numpy(taken)}, torch.tensor([0.2, 0.4, 0.6, 0.8]))["x.weight"]
    own, other = a.effective["x"].numpy(), b.effective["x"].numpy()
    assert np.array_equal(found.numpy(), np.where(taken, other, own))
    assert np.array_equal(mixing.differing(a, b)["x"].numpy(), own != other)


@given(st.floats(0, 1, width=32))
def test_positions_of_either_width_blend(t: float) -> None:
    first, last = {"x": torch.tensor([1.0, -2.0])}, {"x": torch.tensor([3.0, 0.5])}
    narrow, wide = (
        blend(first, last, torch.tensor([t], dtype=kind))["x"] for kind in (torch.float32, torch.float64)
    )
    assert torch.equal(narrow, wide)


def test_a_walk_is_drawn_once_while_it_is_built_and_anew_after_another() -> None:
    def stream(seed: int) -> Random:
        return lambda: np.random.RandomState(seed)

    made: list[int] = []

    def draw(random: np.random.RandomState) -> int:
        made.append(random.randint(1000))
        return made[-1]

    one, other = stream(1), stream(1)
    assert len({mixing.kept(one, draw) for _ in range(3)}) == 1
    assert len(made) == 1
    with ThreadPoolExecutor(1) as pool:  # another thread builds another walk
        pool.submit(mixing.kept, stream(2), draw).result()
    assert mixing.kept(one, draw) == made[0] and len(made) == 2
    assert mixing.kept(other, draw) == made[0] and len(made) == 3
    del one, other
    for seed in range(3, 30):  # streams that lie where others lay
        assert mixing.kept(stream(seed), draw) == np.random.RandomState(seed).randint(1000)
    with pytest.raises(ValueError, match="needs a stream"):
        mixing.kept(None, draw)
