"""Every step takes one out and one in, of one layer."""

import numpy as np
import pytest

from masklab.landscape.ends import Ends
from masklab.landscape.paths import all_paths
from tests.landscape.paths import walks

SHARED = [("biprop/0000", "biprop/0002"), ("edge-popup/0000", "random/0002")]
APART = [("edge-popup/0000", "biprop/0001"), ("edge-popup+iterand/0000", "random/0001")]


@pytest.mark.parametrize(("a", "b"), SHARED + APART)
def test_layers_keep_as_many_as_before(a: str, b: str, wide: Ends) -> None:
    end = wide.of(a)
    found = walks.weights(end, walks.walk(wide, "geodesic-swap", a, b, walks.TENTHS))
    for layer, kept in end.kept.items():
        assert (found[layer] != 0).sum(1).tolist() == [kept] * 11


@pytest.mark.parametrize(("a", "b"), SHARED + APART)
def test_the_promised_number_of_steps_is_made(a: str, b: str, wide: Ends) -> None:
    first, last = wide.of(a), wide.of(b)
    masks = {layer: (first.mask[layer].flatten(), last.mask[layer].flatten()) for layer in first.mask}
    swaps = sum(int((x & ~y).sum()) for x, y in masks.values())
    values = {n: (first.effective[n].flatten().numpy(), last.effective[n].flatten().numpy()) for n in masks}
    alone = 0
    if all_paths()["geodesic-swap"].rule(wide, a, b) == "effective":
        alone = sum(
            int(((x & y).numpy() & (values[layer][0] != values[layer][1])).sum())
            for layer, (x, y) in masks.items()
        )
        assert alone > 100
    found = walks.weights(first, walks.walk(wide, "geodesic-swap", a, b, walks.TENTHS))
    for at, t in enumerate(walks.TENTHS):
        left = came = single = 0
        for layer, (x, y) in masks.items():
            now = found[layer][at] != 0
            left += int((x.numpy() & ~now).sum())
            came += int((~x.numpy() & now).sum())
            if alone:
                both = (x & y).numpy()
                own, other = values[layer]
                moved = both & (found[layer][at] != own)
                assert np.array_equal(found[layer][at][moved], other[moved])
                single += int(moved.sum())
            assert not (now & ~x.numpy() & ~y.numpy()).any() and now[(x & y).numpy()].all()
        assert left == came
        assert left + single == walks.promised(t, swaps + alone)


def test_any_two_of_a_layer_are_paired(small: Ends) -> None:
    a, b, draws = "edge-popup/0000", "random/0002", 800
    first, last = (walks.own(small.of(member)) != 0 for member in (a, b))
    layer = np.repeat(np.arange(2), [mask.numel() for mask in small.of(a).mask.values()])
    leaving, arriving = np.flatnonzero(first & ~last), np.flatnonzero(last & ~first)
    steps = len(leaving)
    counts = np.zeros((len(first), len(first)), dtype=int)
    for number in range(draws):
        state = walks.walk(small, "geodesic-swap", a, b, [1 / steps], number)
        now = walks.whole(small.of(a), state)[0] != 0
        (out,), (came,) = np.flatnonzero(first & ~now), np.flatnonzero(now & ~first)
        counts[out, came] += 1
    assert counts.sum() == draws
    for out in leaving:
        for came in arriving:
            others = int((layer[leaving] == layer[out]).sum())
            share = 1 / (steps * others) if layer[out] == layer[came] else 0.0
            assert abs(counts[out, came] / draws - share) <= 4 * np.sqrt(share * (1 - share) / draws)
