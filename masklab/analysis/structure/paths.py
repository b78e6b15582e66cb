"""Kept weights that lie on no path from the input of a network to its output, where its layers form a chain.

Reachability is over channels: a kept weight lies on a path if kept weights lead from an input of the network
to its input channel and from its output channel to an output of the network. Activations and poolings keep
channels apart; at a flattening channel c of C feeds the c-th of C equal runs of inputs. Layers that are not
masked keep every weight. There is no closed form for random masks, so chance is simulated: members have
random twins with the same kept counts per layer.

Source: effective sparsity of Vysogorets and Kempe, Connectivity matters: neural network pruning through the
lens of effective sparsity (JMLR 24, 2023).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from masklab import networks, seeds
from masklab.analysis.overlap import WHOLE
from masklab.analysis.structure import axes, table
from masklab.errors import ConfigError

COUNT, SHARE, EFFECTIVE = "disconnected_count", "disconnected_share", "effective_density"
"""Kept weights on no path, and their share of the kept ones; kept weights on a path ÷ weights."""

METRICS = (COUNT, SHARE, EFFECTIVE)

TWINS = 20
"""Members of a population, the first ones, that have a random twin."""

Pairs = Int64[np.ndarray, "_ _"]


@dataclass(frozen=True)
class Chain:
    """Layers of a network in forward order, each of which reads the one before it and nothing else.

    Attributes:
        layers: Name and weight shape of each, outputs first, whether masked or not.
        why: Reason why the network is not known to be such a chain; it has no layers then.
    """

    layers: tuple[tuple[str, tuple[int, ...]], ...]
    why: str = ""


def chain(study: Mapping[str, Any]) -> Chain:
    """The chain that a stored study's network is.

    Args:
        study: The study as stored.
    """
    network, data = study["network"], study["data"]
    if network["name"] is None:
        return Chain((), "the network of imported masks is not known")
    settings = networks.Settings.of(network)
    try:
        declared = networks.chain(settings, tuple(data["input_shape"]), len(data["classes"]))
    except ConfigError as error:
        return Chain((), str(error))
    if declared is None:
        return Chain((), f"network {settings.name} declares no chain of layers")
    layers = tuple((layer.name, layer.shape) for layer in declared)
    masked = [(layer["name"], tuple(layer["shape"])) for layer in network["layers"]]
    if masked != [layer for layer in layers if layer in masked]:
        return Chain((), f"the masked layers are not those of network {settings.name}")
    return Chain(layers)


def measure(layers: axes.Layers, along: Chain, twin: axes.Layers | None) -> table.Found:
    """Disconnected weights of one member, per masked layer and in the whole mask.

    Args:
        layers: Kept weights of each masked layer.
        along: The network's chain.
        twin: Kept weights of the member's random twin; None where it has none.
    """
    if not along.layers:
        names = (WHOLE, *layers)
        return {
            (name, metric, None): table.One(math.nan, math.nan, along.why)
            for name in names
            for metric in METRICS
        }
    own = _connected(layers, along)
    other = None if twin is None else _connected(twin, along)
    found: table.Found = {}
    for name, (kept, size) in _sizes(layers).items():
        values = _values(own[name], kept, size)
        levels = (math.nan,) * len(METRICS) if other is None else _values(other[name], kept, size)
        why = "the mask keeps no weight" if kept == 0 else ""
        for metric, value, level in zip(METRICS, values, levels, strict=True):
            found[name, metric, None] = table.One(value, level, why)
    return found


def random_twin(layers: axes.Layers, along: Chain, seed: int, member_id: str) -> axes.Layers:
    """A random mask with a member's kept counts per layer.

    Args:
        layers: Kept weights of each masked layer.
        along: The network's chain.
        seed: The study's seed.
        member_id: The member; each has a stream of its own.
    """
    random = seeds.stream(seed, "split", layer=f"analysis/structure/{member_id}")
    twin = {}
    for name, shape in along.layers:
        if name in layers:
            mask = np.zeros(math.prod(shape), dtype=bool)
            mask[random.permutation(mask.size)[: layers[name].kept]] = True
            twin[name] = axes.count(mask.reshape(shape))
    return twin


def on_paths(pairs: Sequence[Pairs]) -> list[int]:
    """Kept weights on a path from input to output, per layer of a chain.

    Args:
        pairs: Kept weights from each input to each output, layer by layer; a layer has as many inputs as the
            one before it has outputs, or a multiple, for a flattening.

    Examples:
        >>> first, second = np.array([[1, 0], [0, 2], [0, 0]]), np.array([[1, 0, 1]])
        >>> on_paths([first, second])
        [1, 1]
    """
    reached, counts = list(_reached(pairs)), []
    needed = np.ones(len(pairs[-1]), dtype=bool)  # outputs of a layer that lead on to the end
    for at in reversed(range(len(pairs))):
        counts.append(int(needed @ pairs[at] @ reached[at]))
        if at:  # of a channel that feeds several inputs one is enough
            inputs = (pairs[at][needed] > 0).any(axis=0)
            needed = inputs.reshape(len(pairs[at - 1]), -1).any(axis=1)
    return counts[::-1]


def _reached(pairs: Sequence[Pairs]) -> Iterator[Bool[np.ndarray, " inputs"]]:
    """Inputs of each layer to which kept weights lead from the input of the network."""
    before = np.ones(pairs[0].shape[1], dtype=bool)
    for at, kept in enumerate(pairs):
        yield before
        if at + 1 < len(pairs):
            outputs = (kept[:, before] > 0).any(axis=1)
            before = np.repeat(outputs, pairs[at + 1].shape[1] // len(kept))


def _connected(layers: axes.Layers, along: Chain) -> dict[str, int]:
    """Kept weights on a path, per masked layer and in the whole mask."""
    pairs = [
        layers[name].pairs if name in layers else np.full(shape[:2], math.prod(shape[2:]), dtype=np.int64)
        for name, shape in along.layers
    ]
    counts = dict(zip((name for name, _ in along.layers), on_paths(pairs), strict=True))
    found = {name: counts[name] for name in layers}
    return {WHOLE: sum(found.values()), **found}


def _sizes(layers: axes.Layers) -> dict[str, tuple[int, int]]:
    """Kept weights and weights, of the whole mask and per layer."""
    found = {name: (layer.kept, layer.size) for name, layer in layers.items()}
    kept, sizes = zip(*found.values(), strict=True)
    return {WHOLE: (sum(kept), sum(sizes)), **found}


def _values(connected: int, kept: int, size: int) -> tuple[float, float, float]:
    """The metrics, in the order of `METRICS`."""
    share = (kept - connected) / kept if kept else math.nan
    return float(kept - connected), share, connected / size
