"""Linear interpolation between the effective weights of two members, and its barrier.

Source: Entezari et al., The Role of Permutation Invariance in Linear Mode Connectivity of Neural
Networks (ICLR 2022) for the barrier.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from masklab import data as datasets
from masklab.analysis import estimates, jackknife
from masklab.archive import Archive, files
from masklab.errors import DataError
from masklab.landscape import pairs as pairing
from masklab.training import choice, cohort, engines, rebuild
from masklab.training import device as devices
from masklab.training import images as imaging

Row = dict[str, Any]
METHOD = "t interval from leaving out one mask at a time (jackknife)"
_FORWARD_AT_ONCE = 6000  # networks × images in one call: larger ones fall out of cache
_WEIGHTS_AT_ONCE = 2**23
_NETWORKS_AT_ONCE = 66


def barrier(values: Float64[np.ndarray, "*paths points"], grid: Float64[np.ndarray, " points"]) -> Any:
    """Entezari's barrier: largest excess of a curve (loss or error) over the line between its ends, ≥ 0.

    Args:
        values: Loss or error at each point of each path, ends first and last.
        grid: Position of each point, 0 … 1.

    Examples:
        >>> float(barrier(np.array([0.1, 0.5, 0.3]), np.array([0.0, 0.5, 1.0])).round(3))
        0.3
    """
    straight = (1 - grid) * values[..., :1] + grid * values[..., -1:]
    return (values - straight).max(axis=-1)


def interpolate(out: files.Location) -> tuple[list[Row], list[Row]]:
    """Walk between sampled pairs of members of a study on its test images.

    Args:
        out: The study's directory.

    Returns:
        Rows of `results.json`'s `landscape` (one per cell), and rows of `interpolation.csv` (one per
        point of each path).

    Raises:
        ArchiveError: A member is damaged.
        DataError: The data set is not the one that the members were trained on.
    """
    archive = Archive(out)
    study = archive.study
    settings = study["analysis"]
    names = [population["name"] for population in study["populations"]]
    foreign = {row["name"] for row in study["populations"] if "imported" in row}
    blocks = {
        member: archive.blocks[member]
        for member in archive.compared
        if member.rpartition("/")[0] not in foreign  # no network is known to have their weights
    }
    cells = pairing.sample(names, blocks, settings["interpolation_pairs"], archive.seed)
    if not cells:
        return [], []
    grid = np.linspace(0.0, 1.0, settings["interpolation_points"])
    devices.prepare("cpu", 1)
    walker = _Walker(archive, grid)
    wanted = list(dict.fromkeys(pair for cell in cells for pair in cell.pairs))
    curves = dict(zip(wanted, walker.walk(wanted), strict=True))
    rows = [_cell_row(cell, curves, grid, len(walker.labels)) for cell in cells]
    return rows, [row for cell in cells for row in _point_rows(cell, curves, grid)]


class _Walker:
    """Evaluates points on paths, many networks at once."""

    def __init__(self, archive: Archive, grid: Float64[np.ndarray, " points"]) -> None:
        study = archive.study
        data = datasets.load(study["data"]["name"], study["data"]["path"])
        if datasets.content_digest(data) != study["data"]["digest"]:
            raise DataError(
                f"data set {study['data']['name']!r} is not the one that {archive.directory} was trained on"
            )
        mean, deviation = map(imaging.per_channel, imaging.normalisation(data))
        self.images = imaging.normalise(torch.from_numpy(data.test_images), mean, deviation)
        self.labels = torch.from_numpy(data.test_labels)
        self.grid = torch.from_numpy(grid).float()
        self.network = cohort.build_network(study)
        weights = sum(layer["size"] for layer in study["network"]["layers"])
        self.engine: choice.Engine = choice.expected(study, "cpu")
        at_once = min(_NETWORKS_AT_ONCE, _WEIGHTS_AT_ONCE // weights)
        self.pairs_at_once = max(1, at_once // len(grid))
        self.images_at_once = max(32, _FORWARD_AT_ONCE // (self.pairs_at_once * len(grid)))
        self.state = lru_cache(maxsize=64)(lambda member: rebuild.stored_state(archive.member(member)))

    def walk(self, pairs: list[tuple[str, str]]) -> Iterator[Float64[np.ndarray, "2 points"]]:
        """Accuracy and loss (nats) at every point of each path."""
        for start in range(0, len(pairs), self.pairs_at_once):
            some = pairs[start : start + self.pairs_at_once]
            measured = self._evaluate(self._points(some))
            yield from measured.reshape(2, len(some), len(self.grid)).transpose(1, 0, 2)

    def _points(self, pairs: list[tuple[str, str]]) -> dict[str, Tensor]:
        """State name → values [pairs·points, …]; the ends are the members' own, exactly.

        Running statistics of batch normalisation are interpolated like everything else.
        """
        ends = [(self.state(a), self.state(b)) for a, b in pairs]
        stacked = {}
        for name in ends[0][0]:
            first = torch.stack([a[name] for a, _ in ends])[:, None]
            last = torch.stack([b[name] for _, b in ends])[:, None]
            t = self.grid.view(1, -1, *[1] * (first.ndim - 2))
            stacked[name] = ((1 - t) * first + t * last).flatten(0, 1)
        return stacked

    def _evaluate(self, weights: dict[str, Tensor]) -> Float64[np.ndarray, "2 networks"]:
        number = len(next(iter(weights.values())))
        right, loss = torch.zeros(number, dtype=torch.float64), torch.zeros(number, dtype=torch.float64)
        with torch.inference_mode():
            for images, labels in zip(
                self.images.split(self.images_at_once), self.labels.split(self.images_at_once), strict=True
            ):
                logits = engines.logits(self.engine, self.network, engines.Tensors(weights), images)
                right += (logits.argmax(2) == labels).sum(1)
                loss += engines.member_losses(logits, labels.expand(number, -1)) * len(labels)
        return torch.stack([right, loss]).numpy() / len(self.labels)


def _cell_row(
    cell: pairing.Cell, curves: dict[tuple[str, str], np.ndarray], grid: np.ndarray, images: int
) -> Row:
    walked = np.stack([curves[pair] for pair in cell.pairs])  # [pairs, 2, points]
    accuracy, loss = walked[:, 0], walked[:, 1]
    barriers = np.stack([barrier(1 - accuracy, grid), barrier(loss, grid)])
    error, nats = _estimates(cell, barriers)
    return {
        "a": cell.a,
        "b": cell.b,
        "path": "linear",
        "block": cell.block,
        "seed": cell.seed,
        "pairs": len(cell.pairs),
        "of_pairs": cell.of,
        "points": grid.tolist(),
        "accuracy": {
            "mean": accuracy.mean(0).tolist(),
            "low": accuracy.min(0).tolist(),
            "high": accuracy.max(0).tolist(),
        },
        "barrier": {"entezari_error": error, "entezari_loss": nats},
        "images": images,
        "split": "test",
    }


def _estimates(cell: pairing.Cell, barriers: Float64[np.ndarray, "2 pairs"]) -> tuple[Row, Row]:
    """Mean barriers with their intervals over masks: masks are left out, never pairs."""
    rows = sorted({a for a, _ in cell.pairs})
    columns = sorted({b for _, b in cell.pairs})
    values = np.zeros((2, len(rows), len(columns)))
    chosen = np.zeros((len(rows), len(columns)), dtype=bool)
    for position, (a, b) in enumerate(cell.pairs):
        chosen[rows.index(a), columns.index(b)] = True
        values[:, rows.index(a), columns.index(b)] = barriers[:, position]
    means = jackknife.mean_over_pairs(values, chosen, _units(rows), _units(columns))
    error, loss = (
        estimates.estimate(
            float(means.value[at]),
            float(means.low[at]),
            float(means.high[at]),
            method=METHOD,
            n=means.units,
            why=means.why,
            limits=(0.0, math.inf),
        )
        for at in (0, 1)
    )
    return error, loss


def _units(members: list[str]) -> np.ndarray:
    return np.array([int(member.rpartition("/")[2]) for member in members], dtype=np.int64)


def _point_rows(
    cell: pairing.Cell, curves: dict[tuple[str, str], np.ndarray], grid: np.ndarray
) -> Iterator[Row]:
    for pair in cell.pairs:
        for at, t in enumerate(grid.tolist()):
            accuracy, loss = curves[pair][:, at].tolist()
            yield {
                "a": cell.a,
                "b": cell.b,
                "block": cell.block,
                "seed": cell.seed,
                "member_a": pair[0],
                "member_b": pair[1],
                "path": "linear",
                "t": round(t, 9),
                "accuracy": accuracy,
                "loss": loss,
            }
