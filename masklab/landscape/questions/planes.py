"""Accuracy over planes: through three members, and along two random directions of flips.

`members`: effective weights (1 − x − y)·A + x·B + y·C of three members of a population, of one draw of base
weights where there are three (`block` of the row says whether), beyond the triangle by a quarter of its
sides; what surrounds them likewise, but that a running variance does not become negative. `flips`: two
disjoint random sets of bits of a member, each as many as two masks of its population differ in on average
(half of all at most); at (x, y) the first share x of the one and the first share y of the other are flipped,
and the gate's rule is applied anew.

Source: Garipov et al., Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs (NeurIPS 2018,
arXiv 1802.10026) for the plane through three networks; Sreenivasan et al., Rare Gems (NeurIPS 2022,
arXiv 2202.12002), whose code draws a surface by random flips in two directions.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from masklab.analysis import estimates
from masklab.landscape import flips, measures, once, sampling
from masklab.landscape.context import Context, Found, Row
from masklab.landscape.ends import State
from masklab.landscape.tasks import Outcome, Task, own_key

SHARE = 0.1
KEYS = ("planes",)

POINTS = 13
"""Points of a side."""

COARSE = 2
"""Every second of them is evaluated first: 7 of a side."""

Place = tuple[int, int]
"""Number of a point along x and along y."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane.

    Attributes:
        context: The study.
        number: Of the plane, among all that could be planned.
        population: Whose members.
        members: Three that span it, or the one that is flipped.
    """

    context: Context
    number: int
    population: str
    members: list[str]

    @property
    def kind(self) -> str:
        """`members` or `flips`."""
        return "members" if len(self.members) > 1 else "flips"

    @property
    def block(self) -> str | None:
        """Whether all members lie on one draw of base weights, `within`, or not, `across`; None for flips."""
        if self.kind == "flips":
            return None
        return "within" if len({self.context.blocks[own] for own in self.members}) == 1 else "across"

    @property
    def corners(self) -> dict[Place, str]:
        """Points that are members, which are evaluated as such."""
        if self.kind == "flips":
            return {(0, 0): self.members[0]}
        zero, one = (int(np.flatnonzero(self.positions == value)[0]) for value in (0, 1))
        return dict(zip([(zero, zero), (one, zero), (zero, one)], self.members, strict=True))

    @property
    def positions(self) -> Float64[np.ndarray, " points"]:
        """Places of all points along a side; 0 and 1 are among them."""
        low, high = (-0.25, 1.25) if self.kind == "members" else (0.0, 1.0)
        return np.linspace(low, high, POINTS)

    def points(self, part: str) -> list[Place]:
        """Points that a task evaluates: the coarse grid, or what the fine one has beside it."""
        corners, sides = self.corners, itertools.product(range(POINTS), repeat=2)
        return [
            (x, y)
            for y, x in sides
            if (part == "coarse") == (x % COARSE == 0 == y % COARSE) and (x, y) not in corners
        ]

    def key(self, part: str) -> str:
        """Key of a task."""
        return f"plane/{self.kind}/{self.population}/{part}"

    def task(self, part: str) -> Task:
        """The task of a part."""
        points = self.points(part)

        def build(positions: Sequence[int]) -> State:
            return self.states([points[at] for at in positions])

        return Task(self.key(part), len(points), build, (measures.SPLIT,), tuple(self.members))

    def states(self, points: Sequence[Place]) -> State:
        """States at some points."""
        x, y = (self.positions[[point[side] for point in points]] for side in (0, 1))
        return self._between(x, y) if self.kind == "members" else self._flipped(x, y)

    def _between(self, x: np.ndarray, y: np.ndarray) -> State:
        """Affine combinations, exactly the members at the corners."""
        ends = [self.context.ends.of(member) for member in self.members]
        shares = self.context.tensor(np.stack([1 - x - y, x, y]).astype(np.float32))

        def combined(name: str, values: Sequence[Tensor]) -> Tensor:
            if not values[0].is_floating_point():
                return values[0].expand(len(x), *values[0].shape)
            own = [
                share.view(-1, *[1] * value.ndim) * value for share, value in zip(shares, values, strict=True)
            ]
            whole = own[0] + own[1] + own[2]
            return whole.clamp(min=0) if name.endswith("running_var") else whole

        effective = {
            f"{layer}.weight": combined(layer, [end.effective[layer] for end in ends])
            for layer in ends[0].effective
        }
        around = {name: combined(name, [end.around[name] for end in ends]) for name in ends[0].around}
        return effective | around

    def _flipped(self, x: np.ndarray, y: np.ndarray) -> State:
        end = self.context.ends.of(self.members[0])
        random = self.context.random("planes", "flips", self.members[0])
        order = random.permutation(end.size)[: 2 * self.length]
        first, second = order[: self.length], order[self.length :]
        rows = [
            flips.flipped(end.mask, np.concatenate([first[:a], second[:b]]), [a + b])
            for a, b in zip(self.counts(x), self.counts(y), strict=True)
        ]
        return end.with_masks({name: torch.cat([row[name] for row in rows]) for name in end.mask})

    def counts(self, shares: np.ndarray) -> list[int]:
        """Flips at shares of a direction."""
        return np.floor(shares * self.length + 0.5).astype(np.int64).tolist()

    @property
    def size(self) -> int:
        """Weights of a mask."""
        return sum(self.context.ends.card(self.members[0]).sizes.values())

    @property
    def length(self) -> int:
        """Flips of each direction: mean Hamming count of the population's pairs, rounded, 1 … half of all."""
        return min(max(1, int(_mean_distance(self.context, self.population) + 0.5)), self.size // 2)

    @property
    def distances(self) -> dict[str, float]:
        """Hamming distances: between the three, or from the member to the end of a direction."""
        if self.kind == "flips":
            return {"d": self.length / self.size}
        masks = [flips.flat(self.context.archive.member(member).mask()) for member in self.members]
        pairs = {"ab": (0, 1), "ac": (0, 2), "bc": (1, 2)}
        return {name: float((masks[i] != masks[j]).mean()) for name, (i, j) in pairs.items()}


@once.per_context
def _mean_distance(context: Context, population: str) -> float:
    """Mean Hamming count of the pairs of a population."""
    ids = context.members[population]
    votes = np.zeros(sum(context.ends.card(ids[0]).sizes.values()), dtype=np.int64)
    for member in ids:
        votes += flips.flat(context.archive.member(member).mask())
    number = len(ids)
    return float((votes * (number - votes)).sum()) / (number * (number - 1) / 2)


def plan(context: Context, evaluations: int | None) -> list[Task]:
    """Coarse grids, population after population, both kinds of each; then what fine ones need beside them."""
    planes = _planes(context)
    least = len({plane.kind for plane in planes})
    first = [next(p for p in planes if p.kind == kind) for kind in dict.fromkeys(p.kind for p in planes)]
    order = first + [plane for plane in planes if plane not in first]
    tasks = [plane.task(part) for part in ("coarse", "fine") for plane in order]
    plans = [tasks[:number] for number in range(least, len(tasks) + 1)]
    return sampling.largest(context, plans, evaluations)


def found(context: Context, tasks: list[Task], outcomes: Mapping[str, Outcome]) -> Found:
    """Rows by plane, and the planes themselves, as fine as they were evaluated."""
    planned = {task.key for task in tasks}
    done = Found(rows={"planes": []})
    for plane in _planes(context):
        parts = [part for part in ("coarse", "fine") if plane.key(part) in planned]
        if not parts:
            continue
        step = 1 if "fine" in parts else COARSE
        accuracy, loss = (grid[::step, ::step] for grid in _grids(plane, parts, outcomes))
        name = f"plane/{plane.number}"
        done.arrays |= {f"{name}/accuracy": accuracy, f"{name}/loss": loss}
        done.rows["planes"].append(_row(plane, step, name, accuracy, loss, outcomes))
    return done


def _planes(context: Context) -> list[Plane]:
    """Planes that there can be, in the study's order of populations."""
    planes: list[Plane] = []
    size = sum(layer["size"] for layer in context.archive.study["network"]["layers"])
    for population, ids in context.members.items():
        if len(ids) > 2:
            three = context.choose(_three(context, ids), 3, "planes")
            planes.append(Plane(context, len(planes), population, three))
        if len(ids) > 1 and size > 1:
            one = context.choose(ids, 1, "planes", "flips")
            planes.append(Plane(context, len(planes), population, one))
    return planes


def _three(context: Context, ids: list[str]) -> list[str]:
    """Members among which three are chosen: of the first draw that has three, or all."""
    draws: dict[int, list[str]] = {}
    for member in ids:
        draws.setdefault(context.blocks[member], []).append(member)
    return next((own for own in draws.values() if len(own) > 2), ids)


def _grids(
    plane: Plane, parts: Sequence[str], outcomes: Mapping[str, Outcome]
) -> tuple[Float64[np.ndarray, "y x"], Float64[np.ndarray, "y x"]]:
    """Accuracy and mean loss; NaN where nothing was evaluated."""
    accuracy, loss = np.full((2, POINTS, POINTS), np.nan)
    for part in parts:
        x, y = np.array(plane.points(part)).T
        outcome = outcomes[plane.key(part)]
        accuracy[y, x], loss[y, x] = outcome.accuracy(measures.SPLIT), outcome.loss(measures.SPLIT)
    for (x, y), member in plane.corners.items():
        own = outcomes[own_key(member)]
        accuracy[y, x], loss[y, x] = own.accuracy(measures.SPLIT)[0], own.loss(measures.SPLIT)[0]
    return accuracy, loss


def _row(
    plane: Plane,
    step: int,
    name: str,
    accuracy: np.ndarray,
    loss: np.ndarray,
    outcomes: Mapping[str, Outcome],
) -> Row:
    """One row.

    Args:
        plane: Which one.
        step: Between evaluated points.
        name: Of its arrays.
        accuracy: At each point.
        loss: Mean loss at each point, nats.
        outcomes: The corners', among others.
    """
    positions = plane.positions
    return {
        "population": plane.population,
        "kind": plane.kind,
        "members": plane.members,
        "block": plane.block,
        "x": positions[::step].tolist(),
        "y": positions[::step].tolist(),
        "distances": plane.distances,
        "flips": plane.length if plane.kind == "flips" else None,
        **measures.header(plane.context),
        "array": name,
        "accuracy_min": float(accuracy.min()),
        "accuracy_max": float(accuracy.max()),
        "loss_max": estimates.number(float(loss.max())),
        "at": [
            {
                "id": member,
                "x": float(positions[x]),
                "y": float(positions[y]),
                "accuracy": measures.own_accuracy(outcomes, member),
            }
            for (x, y), member in plane.corners.items()
        ],
        "chance": measures.chance(plane.context),
    }
