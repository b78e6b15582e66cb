"""Bernoulli: each coordinate in which two members differ comes from b with probability t, drawn for each t.

Coordinates that differ are, under one gate and one set of base weights, those whose bits differ;
otherwise those whose effective weights do. They are drawn independently of one another and of the other
points, so that the points do not lie on one walk: at t = 0 none comes from b, at t = 1 all do, and
between them t of them on average. The numbers of a point depend on the stream and on t alone, not on
which other points there are. From b to a the distribution at 1 − t is the one from a to b at t.

Source: Sreenivasan et al., Rare Gems: Finding Lottery Tickets at Initialization, NeurIPS 2022 (arXiv
2202.12002), the probabilistic branch of `connect_mask` in the code of Gem-Miner. Otherwise than there,
every point can be drawn several times, all paths run from a to b, the rule of a gate is applied to the
drawn mask, and running statistics can be re-estimated.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from masklab import seeds
from masklab.landscape import mixing
from masklab.landscape.ends import End, Ends, State
from masklab.landscape.paths import Random, Rule

RANDOM = True


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """None: this path runs between any two members."""


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Mask under one gate and one set of base weights, else effective."""
    return mixing.rule(ends, a, b)


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    seed = int(mixing.stream(random).randint(2**63 - 1, dtype=np.int64))
    differs = mixing.differing(a, b)
    taken = {layer: own.expand(len(t), *own.shape).clone() for layer, own in differs.items()}
    numbers = {layer: int(own.sum()) for layer, own in differs.items()}
    for point, at in enumerate(t.tolist()):
        draw = seeds.stream(seed, "split", level=round(mixing.place(at) * 2**30), layer="landscape/bernoulli")
        for layer, own in differs.items():
            drawn = draw.random_sample(numbers[layer]) < float(mixing.place(at))
            taken[layer][point].masked_scatter_(own, torch.from_numpy(drawn).to(own.device))
    return mixing.mixed(a, b, taken, t)
