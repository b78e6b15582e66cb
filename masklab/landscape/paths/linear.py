"""Linear: every effective weight on the straight line between its two values, (1 − t)·w_A + t·w_B.

What surrounds the masked layers moves on the same line. Nothing is rounded and nothing is random, so that
the path from b to a is this one walked backwards. It runs between any two members, also where their gates
or base weights differ; between its ends a weight that only one of them keeps has a part of that one's
value, so that no mask lies there.

Source: Frankle, Dziugaite, Roy & Carbin, Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML
2020 (arXiv 1912.05671).
"""

from jaxtyping import Float
from torch import Tensor

from masklab.landscape.ends import End, Ends, State, blend
from masklab.landscape.paths import Random, Rule

RANDOM = False


def why_not(ends: Ends, a: str, b: str) -> str | None:
    """None: this path runs between any two members."""


def rule(ends: Ends, a: str, b: str) -> Rule:
    """Weights."""
    return "weights"


def states(ends: Ends, a: End, b: End, t: Float[Tensor, " points"], random: Random | None) -> State:
    """States at positions t."""
    own, other = (
        {f"{layer}.weight": values for layer, values in end.effective.items()} | dict(end.around)
        for end in (a, b)
    )
    return blend(own, other, t)
