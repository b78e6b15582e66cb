"""A checkpoint of Biprop: that of hidden-networks, with `conv_type` and, newer ones, `prune_rate`.

`prune_rate` is the fraction kept. It is taken from the checkpoint unless another one is given. Older files do
not differ from those of hidden-networks: name the format for them. Kept weights act as their sign times one
gain per layer.

Source: Diffenderfer & Kailkhura, Multi-Prize Lottery Ticket Hypothesis, ICLR 2021
(github.com/chrundle/biprop).
"""

from masklab.archive.exchange.imports import hidden_networks
from masklab.archive.exchange.source import Asked, Found, Source
from masklab.errors import ArchiveError, ConfigError

NAME = "biprop"

GATE = "biprop"
"""How these networks use their masks."""

_LAYERWISE = "SubnetConv"
"""The `conv_type` that ranks every layer by itself."""


def claims(foreign: Source) -> bool:
    """Whether there are scores and the name of a kind of convolution."""
    return bool(hidden_networks.scored(foreign)) and "conv_type" in foreign.reported


def read(foreign: Source, asked: Asked) -> Found:
    """Masks cut from the scores, with weights and scores.

    Raises:
        ArchiveError: There are no scores, they do not fit their weights, or are not ranked layer by layer.
        ConfigError: The fraction kept is not known, given twice, or no fraction.
    """
    kind = foreign.reported.get("conv_type", _LAYERWISE)
    if kind != _LAYERWISE:
        raise ArchiveError(
            f"{foreign.place}: conv_type {kind!r} does not rank layer by layer; allowed: {_LAYERWISE}"
        )
    density = hidden_networks.given(asked)
    if density is None:
        density = _stored(foreign)
    return hidden_networks.cut(foreign, density, GATE)


def _stored(foreign: Source) -> float:
    rate = foreign.reported.get("prune_rate")
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= 1:
        raise ConfigError(
            f"{foreign.place} does not hold the fraction kept ('prune_rate' is {rate!r:.40}): give "
            "--density, or --prune-rate as that code takes it (also the fraction kept)"
        )
    return float(rate)
