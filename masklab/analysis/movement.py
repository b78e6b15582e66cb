"""How masks move while they are trained: flips between snapshots, the way left to the end, settling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from masklab import archive as archives
from masklab import bits
from masklab.analysis import chance, estimates
from masklab.analysis.overlap import WHOLE
from masklab.errors import ArchiveError

DIFFERING = 3
"""Members that must differ from the most common settled epoch for an interval: epochs are coarse."""

_COARSE = f"fewer than {DIFFERING} members differ from the most common value"

METRICS = ("flipped_per_epoch", "to_final")
"""Share of all bits that flip between two snapshots, per epoch between them; Hamming distance of a snapshot
to the final mask. Both are fractions of the layer's weights (of all, for the whole mask)."""

SETTLED = "settled_epoch"
"""Epochs done at the first snapshot from which on the mask stays within `TOLERANCE` of the final one; those
of the whole training where none does. It settled after the snapshot before, at the latest at this one."""

TOLERANCE = 0.01
"""Hamming distance to the final mask, as a fraction of the layer's weights, that a settled mask may have."""

Row = dict[str, Any]
_Packed = list[UInt8[np.ndarray, "_"]]


@dataclass(frozen=True, eq=False)
class _Step:
    """One member between two of its masks.

    Attributes:
        key: Metric, epochs done at the earlier mask and at the later one (for `SETTLED` at the first snapshot
            and at the end).
        values: The metric for the whole mask, then layer by layer (places = 1 + layers).
        chance: What independent masks of the same kept counts would show; None for flips.
        draw: The member's draw of base weights.
    """

    key: tuple[str, int, int]
    values: Float64[np.ndarray, " places"]
    chance: Float64[np.ndarray, " places"] | None
    draw: int


def measure(archive: archives.Archive) -> dict[str, list[Row]]:
    """Rows of `movement` and of `settling`; none without snapshots.

    `movement`: `{population, epoch, to, layer, metric, estimate, chance, members}`.
    `flipped_per_epoch` is between each member's successive snapshots, its final mask last; `to_final` is from
    each snapshot to the final mask, with `chance` beside it: the expected Hamming distance of independent
    masks with the same kept counts per layer. A row is over the members that have both of its masks, one
    after the other, and `members` says how many these are. Rows are ordered by population, metric, epochs and
    layer (`"whole"`, then the network's order).

    `settling`: `{population, layer, metric, tolerance, first, to, estimate, chance, members}`, with `first`
    the epoch of the first snapshot of these members and `to` the end of training; `chance` is the same for
    independent masks with the same kept counts per layer, most of which never settle before the end.

    Args:
        archive: The study's members; those that are compared count. Only those with snapshots are opened, one
            at a time.

    Raises:
        ArchiveError: A member is damaged, or has a snapshot from after the end of training.
    """
    layers = [WHOLE, *(layer["name"] for layer in archive.study["network"]["layers"])]
    end = archive.study["training"]["epochs"]
    found: dict[str, list[Row]] = {"movement": [], "settling": []}
    moving = [member for member in archive.compared if archive.summaries[member]["snapshots"]]
    for name in (population["name"] for population in archive.study["populations"]):
        members = [member for member in moving if member.rpartition("/")[0] == name]
        steps = [step for member in members for step in _steps(archive, member, end)]
        for key in sorted({step.key for step in steps}):
            those = [step for step in steps if step.key == key]
            if key[0] == SETTLED:
                found["settling"] += _settling_rows(name, layers, those)
            else:
                found["movement"] += _rows(name, layers, those)
    return found


def _steps(archive: archives.Archive, member_id: str, end: int) -> Iterator[_Step]:
    member = archive.member(member_id)
    if any(epoch > end for epoch in member.snapshots):
        raise ArchiveError(
            f"{member.path} has a snapshot at epoch {member.snapshots[-1]}; training ends at {end}"
        )
    epochs = [epoch for epoch in member.snapshots if epoch < end]  # the one at the end is the final mask
    if not epochs:
        return
    sizes = np.array([layer.size for layer in member.layers], dtype=np.int64)
    final = [member.packed(layer.name) for layer in member.layers]
    draw = archive.blocks[member_id]
    earlier: tuple[int, _Packed] | None = None
    left, level = [], []
    for epoch in epochs:
        masks = [member.packed_snapshot(epoch, layer.name) for layer in member.layers]
        if earlier:
            yield _flips(sizes, earlier, (epoch, masks), draw)
        left.append(_hamming(sizes, masks, final))
        level.append(_level(sizes, masks, final))
        yield _Step(("to_final", epoch, end), left[-1], level[-1], draw)
        earlier = epoch, masks
    if earlier:
        yield _flips(sizes, earlier, (end, final), draw)
    times = [*epochs, end]
    yield _Step((SETTLED, epochs[0], end), _settled(times, left), _settled(times, level), draw)


def _settled(times: list[int], left: list[Float64[np.ndarray, " places"]]) -> Float64[np.ndarray, " places"]:
    """First of the times from which on the distance left stays within the tolerance; the last is the end."""
    outside = np.stack(left) > TOLERANCE
    after_last = len(left) - np.argmax(outside[::-1], axis=0)
    return np.array(times, dtype=float)[np.where(outside.any(axis=0), after_last, 0)]


def _flips(sizes: chance.Sizes, earlier: tuple[int, _Packed], later: tuple[int, _Packed], draw: int) -> _Step:
    epochs = later[0] - earlier[0]
    flipped = _hamming(sizes, earlier[1], later[1]) / epochs
    return _Step(("flipped_per_epoch", earlier[0], later[0]), flipped, None, draw)


def _hamming(sizes: chance.Sizes, first: _Packed, second: _Packed) -> Float64[np.ndarray, " places"]:
    """Hamming distance of the whole masks, then of each layer."""
    counts = np.array([int(bits.count(a ^ b)) for a, b in zip(first, second, strict=True)])
    return np.concatenate([[counts.sum() / sizes.sum()], counts / sizes])


def _level(sizes: chance.Sizes, first: _Packed, second: _Packed) -> Float64[np.ndarray, " places"]:
    """Expected Hamming distance of independent masks with these kept counts, whole, then each layer."""
    kept = np.array([[int(bits.count(a)), int(bits.count(b))] for a, b in zip(first, second, strict=True)])
    strata = [slice(None), *(slice(at, at + 1) for at in range(len(sizes)))]
    return np.array([chance.expected_hamming(sizes[at], kept[at])[0, 1] for at in strata])


def _rows(population: str, layers: list[str], steps: list[_Step]) -> Iterator[Row]:
    """One row per layer; all steps are of one key."""
    metric, epoch, to = steps[0].key
    for layer, estimate, level in _over_members(layers, steps, estimates.SHARE):
        yield {
            "population": population,
            "epoch": epoch,
            "to": to,
            "layer": layer,
            "metric": metric,
            "estimate": estimate,
            "chance": level,
            "members": len(steps),
        }


def _settling_rows(population: str, layers: list[str], steps: list[_Step]) -> Iterator[Row]:
    """One row per layer; all steps are of one first snapshot."""
    metric, first, end = steps[0].key
    for place, (layer, estimate, level) in enumerate(
        _over_members(layers, steps, (float(first), float(end)))
    ):
        found = [float(step.values[place]) for step in steps]
        if len(found) - max(found.count(one) for one in found) < DIFFERING and estimate["low"] is not None:
            estimate |= {"low": None, "high": None, "why": _COARSE}
        yield {
            "population": population,
            "layer": layer,
            "metric": metric,
            "tolerance": TOLERANCE,
            "first": first,
            "to": end,
            "estimate": estimate,
            "chance": level,
            "members": len(steps),
        }


def _over_members(
    layers: list[str], steps: list[_Step], limits: tuple[float, float]
) -> Iterator[tuple[str, Row, float | None]]:
    """Layer, estimate over the members, and mean chance level."""
    draws = len({step.draw for step in steps})
    values = np.stack([step.values for step in steps])
    levels = [step.chance for step in steps if step.chance is not None]
    expected = np.mean(levels, axis=0).tolist() if levels else [None] * len(layers)
    for layer, column, level in zip(layers, values.T, expected, strict=True):
        yield layer, estimates.mean_over_members(column.tolist(), draws, limits=limits), level
