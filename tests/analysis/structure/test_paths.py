from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.analysis.structure import axes, paths


def searched(masks):
    """Kept weights on a path, per layer, by search over neurons: (layer, channel) joined by kept weights.

    An input of a linear layer is a pixel of the channel that it was flattened from.
    """
    forward, edges = {}, []
    for at, mask in enumerate(masks):
        pixels = 1 if at == 0 else mask.shape[1] // masks[at - 1].shape[0]
        for place in np.argwhere(mask):
            channel = int(place[1]) // pixels
            edges.append((at, (at, channel), (at + 1, int(place[0]))))
            forward.setdefault((at, channel), set()).add((at + 1, int(place[0])))
    backward = {}
    for start, ends in forward.items():
        for end in ends:
            backward.setdefault(end, set()).add(start)
    sources = [(0, channel) for channel in range(masks[0].shape[1])]
    sinks = [(len(masks), channel) for channel in range(masks[-1].shape[0])]
    reached, needed = visited(forward, sources), visited(backward, sinks)
    counts = [0] * len(masks)
    for at, start, end in edges:
        counts[at] += start in reached and end in needed
    return counts


def visited(following, sources):
    seen, waiting = set(sources), deque(sources)
    while waiting:
        for after in following.get(waiting.popleft(), ()):
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen


@st.composite
def chains(draw):
    """Masks of a few convolutions and linear layers, sparse enough that paths break."""
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    channels = draw(st.integers(1, 4))
    masks = []
    for _ in range(draw(st.integers(0, 3))):
        outputs = draw(st.integers(1, 5))
        masks.append((outputs, channels, 3, 3))
        channels = outputs
    channels *= draw(st.sampled_from([1, 4])) if masks else 1
    for _ in range(draw(st.integers(1, 3))):
        outputs = draw(st.integers(1, 6))
        masks.append((outputs, channels))
        channels = outputs
    density = draw(st.sampled_from([0.05, 0.15, 0.3, 1.0]))
    return [random.random_sample(shape) < density for shape in masks]


@given(chains())
@settings(deadline=None, max_examples=200)
def test_agrees_with_a_search_over_neurons(masks):
    assert paths.on_paths([axes.count(mask).pairs for mask in masks]) == searched(masks)


def test_a_flattened_channel_feeds_its_own_run_of_inputs():
    conv = np.zeros((2, 1, 3, 3), dtype=bool)
    conv[1, 0, 1, 1] = True  # channel 1 alone is reached; of 2 × 4 inputs it feeds the last four
    linear = np.zeros((1, 8), dtype=bool)
    linear[0, [3, 4]] = True
    assert paths.on_paths([axes.count(mask).pairs for mask in (conv, linear)]) == [1, 1]
    linear[0, 4] = False
    assert paths.on_paths([axes.count(mask).pairs for mask in (conv, linear)]) == [0, 0]


def chain_of(masks):
    return paths.Chain(tuple((f"l{at}", mask.shape) for at, mask in enumerate(masks)))


def counted(masks):
    return {f"l{at}": axes.count(mask) for at, mask in enumerate(masks)}


@given(chains())
@settings(deadline=None, max_examples=50)
def test_layers_that_are_not_masked_keep_every_weight(masks):
    middle = len(masks) // 2
    whole = [np.ones_like(mask) if at == middle else mask for at, mask in enumerate(masks)]
    layers = counted(masks)
    del layers[f"l{middle}"]
    if not layers:
        return
    found = paths.measure(layers, chain_of(masks), None)
    expected = searched(whole)
    for at, mask in enumerate(masks):
        if at != middle:
            assert found[f"l{at}", paths.COUNT, None].value == mask.sum() - expected[at]
    assert (f"l{middle}", paths.COUNT, None) not in found


def test_metrics_follow_from_the_count():
    first, second = np.ones((2, 3), dtype=bool), np.array([[True, False], [True, False]])
    twin = counted([np.ones((2, 3), dtype=bool), np.array([[True, True], [False, False]])])
    found = paths.measure(counted([first, second]), chain_of([first, second]), twin)
    assert [found["l0", metric, None].value for metric in paths.METRICS] == [3.0, 0.5, 0.5]
    assert [found["l1", metric, None].value for metric in paths.METRICS] == [0.0, 0.0, 0.5]
    assert [found["whole", metric, None].value for metric in paths.METRICS] == [3.0, 3 / 8, 5 / 10]
    assert [found["whole", metric, None].chance for metric in paths.METRICS] == [0.0, 0.0, 8 / 10]


def test_without_kept_weights_none_is_disconnected():
    masks = [np.zeros((2, 3), dtype=bool), np.ones((1, 2), dtype=bool)]
    found = paths.measure(counted(masks), chain_of(masks), None)
    assert found["l0", paths.COUNT, None].value == 0
    assert found["l0", paths.SHARE, None].why == "the mask keeps no weight"
    assert np.isnan(found["l0", paths.SHARE, None].value)
    assert found["l1", paths.SHARE, None].value == 1


def test_twins_have_the_kept_counts_and_are_the_members_own():
    random = np.random.RandomState(0)
    layers = counted([random.random_sample((8, 2, 3, 3)) < 0.3, random.random_sample((5, 32)) < 0.6])
    along = paths.Chain((("l0", (8, 2, 3, 3)), ("free", (8, 8, 3, 3)), ("l1", (5, 32))))
    one = paths.random_twin(layers, along, 0, "a/0000")
    assert {name: layer.kept for name, layer in one.items()} == {n: layer.kept for n, layer in layers.items()}
    assert one["l0"].pairs.shape == (8, 2) and one["l0"].kernel.shape == (9,)
    again, other = (
        paths.random_twin(layers, along, 0, "a/0000"),
        paths.random_twin(layers, along, 0, "a/0001"),
    )
    assert (again["l1"].pairs == one["l1"].pairs).all()
    assert (other["l1"].pairs != one["l1"].pairs).any()
    assert (paths.random_twin(layers, along, 1, "a/0000")["l1"].pairs != one["l1"].pairs).any()


CONV2 = [
    ("conv1", [8, 1, 3, 3]),
    ("conv2", [8, 8, 3, 3]),
    ("fc1", [32, 128]),
    ("fc2", [32, 32]),
    ("fc3", [10, 32]),
]


def study(name: str | None = "conv2", layers=CONV2, shape=(1, 8, 8)):
    return {
        "network": {
            "name": name,
            "width": 0.125,
            "activation": "relu",
            "layers": [{"name": layer, "shape": list(of)} for layer, of in layers],
        },
        "data": {"input_shape": list(shape), "classes": [str(at) for at in range(10)]},
    }


def test_a_chain_is_known_from_what_the_study_says():
    assert paths.chain(study()).layers == tuple((name, tuple(shape)) for name, shape in CONV2)
    partly = paths.chain(study(layers=[CONV2[1], CONV2[3]]))
    assert [name for name, _ in partly.layers] == [name for name, _ in CONV2]


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (study("resnet18"), "network resnet18 declares no chain of layers"),
        (study("torchvision:vgg11"), "network torchvision:vgg11 declares no chain of layers"),
        (study("some.module:function"), "network some.module:function declares no chain of layers"),
        (study(layers=[("conv1", [8, 2, 3, 3])]), "the masked layers are not those of network conv2"),
        (study(layers=CONV2[::-1]), "the masked layers are not those of network conv2"),
        (study(None), "the network of imported masks is not known"),
    ],
)
def test_other_networks_have_no_chain_and_say_why(stored, why):
    along = paths.chain(stored)
    assert (along.layers, along.why) == ((), why)
    found = paths.measure(counted([np.ones((2, 2), dtype=bool)]), along, None)
    assert {key[:2] for key in found} == {(n, m) for n in ("whole", "l0") for m in paths.METRICS}
    assert all(np.isnan(one.value) and np.isnan(one.chance) and one.why == why for one in found.values())


def test_an_image_that_does_not_survive_leaves_no_chain():
    along = paths.chain(study(shape=(1, 1, 1)))
    assert along.layers == () and "do not survive" in along.why
