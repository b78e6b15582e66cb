"""What every method makes: points in the plane, and how it came to them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from masklab import seeds

Square = Float64[np.ndarray, "members members"]
Points = Float64[np.ndarray, "members 2"]


@dataclass(frozen=True, eq=False)
class Plane:
    """An embedding in the plane.

    Attributes:
        points: One point per member.
        axes: Names of the two axes.
        parameters: Settings, for a reader.
        explained: Shares of the total inertia on the axes; None where a method has no such shares.
    """

    points: Points
    axes: list[str]
    parameters: dict[str, Any]
    explained: list[float] | None = None


@dataclass(frozen=True)
class Method:
    """A way to make an embedding.

    Attributes:
        fit: From Hamming distances, the study's seed and the number of the run (0 is the one that is shown).
        twins: Pairs of most members and number of sets of matched random masks that are embedded too; above
            the last nothing is embedded.
        runs: How runs differ; None where nothing is random.
    """

    fit: Callable[[Square, int, int], Plane]
    twins: tuple[tuple[int, int], ...]
    runs: str | None


def random_start(members: int, seed: int, run: int) -> Points:
    """Standard normal points.

    Args:
        members: How many.
        seed: The study's seed.
        run: Number of the run.
    """
    return seeds.stream(seed, "split", run, "analysis/embeddings").standard_normal((members, 2))
