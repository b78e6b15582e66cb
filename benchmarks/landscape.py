"""The landscape: points of paths on the digits, and Conv6 beside a plain forward pass."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import clock
from masklab import parallel, stages, study
from masklab.archive import Archive
from masklab.landscape import paths, plan, planning, run
from masklab.landscape.budget import Budget
from masklab.landscape.tasks import Task
from masklab.training import rebuild

_PAIRS, _POINTS = 100, 11
_CONV6_IMAGES, _CONV6_POINTS, _CONV6_ORDERS = 512, 6, 2
CONV6_MADDS = 154e6
"""Multiply-adds of Conv6 on one image."""


def digits(rounds: int) -> list[clock.Row]:
    """Seconds for all points of 100 linear paths on all test images, and the same one network at a time."""
    with tempfile.TemporaryDirectory() as folder:
        out = _trained(folder, {"name": "digits"}, {"name": "conv2", "width": 0.125}, 15, epochs=3)
        made = _plan(out, "linear")
        tasks = _walks(made, _PAIRS, _POINTS)
        archive, ids = Archive(out), list(made.context.blocks)
        pixels, number = made.context.images.pixels["test"], len(made.context.images.labels["test"])
        plain = rebuild.network(archive.member(ids[0])).network

        def one_by_one() -> None:
            with torch.inference_mode():
                for _ in range(_POINTS * 2):
                    plain(pixels)

        def all_points() -> None:
            list(run.evaluated(made, list(enumerate(_pieces(made, tasks)))))

        torch.set_num_threads(1)
        all_points()
        taken = clock.in_turns({"masklab": all_points, "plain": one_by_one}, rounds)
    networks = _PAIRS * _POINTS
    per = taken["masklab"] / networks
    ratio = clock.ratio(taken["plain"] / (2 * _POINTS), per)
    seconds = np.median(taken["masklab"])
    return [
        clock.Row(
            f"digits (conv2 × 0.125): {_POINTS} points of {_PAIRS} pairs on {number} test images",
            "≤ 5 s",
            f"{seconds:.2f} s, {networks * number / seconds:,.0f} evaluations per second",
            f"{parallel.cores()} cores; a plain forward pass of one network at a time takes {ratio} times as "
            "long on one core",
        )
    ]


def conv6(limits: clock.Limits, rounds: int) -> list[clock.Row]:
    """Throughput on a path between two Conv6 members ÷ that of plain forward passes over the same images."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "images.npz"
        random = np.random.RandomState(0)
        arrays: dict[str, Any] = {}
        for split, count in (("train", 1024), ("test", _CONV6_IMAGES)):
            arrays[f"{split}_images"] = random.randint(0, 256, (count, 3, 32, 32)).astype(np.uint8)
            arrays[f"{split}_labels"] = (np.arange(count) % 10).astype(np.int64)
        np.savez(source, **arrays)
        out = _trained(folder, {"name": f"arrays:{source}"}, {"name": "conv6"}, 2, pruner="random")
        made = _plan(out, "geodesic")
        tasks = _walks(made, 1, _CONV6_POINTS + 2, _CONV6_ORDERS)
        pixels = made.context.images.pixels["test"]
        plain = rebuild.network(Archive(out).member(next(iter(made.context.blocks)))).network
        plain = plain.to(memory_format=torch.channels_last)
        batches = pixels.contiguous(memory_format=torch.channels_last).split(256)

        def forward() -> None:
            torch.set_num_threads(parallel.cores())
            with torch.inference_mode():
                for _ in range(_CONV6_POINTS * _CONV6_ORDERS):
                    for batch in batches:
                        plain(batch)

        def path() -> None:
            torch.set_num_threads(1)
            list(run.evaluated(made, list(enumerate(_pieces(made, tasks)))))

        taken = clock.in_turns({"masklab": path, "plain": forward}, rounds, warm_up=1)
    ratio = clock.ratio(taken["plain"], taken["masklab"])
    evaluations = _CONV6_POINTS * _CONV6_ORDERS * _CONV6_IMAGES
    least = evaluations * 2 * CONV6_MADDS / (limits.fp32 * 1e12)
    return [
        clock.Row(
            f"Conv6: throughput of {_CONV6_POINTS} points of a geodesic in {_CONV6_ORDERS} orders on "
            f"{_CONV6_IMAGES} images ÷ plain forward passes (channels-last, all cores)",
            "≥ 0.8",
            f"{ratio}; {np.median(taken['masklab']) / evaluations * 1e3:.2f} ms per image",
            f"1; {least / evaluations * 1e3:.2f} ms per image at the speed of matrix products",
        )
    ]


def plans(rounds: int) -> list[clock.Row]:
    """Time from a directory to a plan, which `--dry-run` prints."""
    with tempfile.TemporaryDirectory() as folder:
        out = _trained(folder, {"name": "digits"}, {"name": "conv2", "width": 0.125}, 15, epochs=1)
        seconds = []
        for _ in range(rounds):
            started = time.perf_counter()
            _plan(out, None)
            seconds.append(time.perf_counter() - started)
    return [
        clock.Row(
            "digits, 30 members: plan of a landscape, its speed measured",
            "–",
            f"{np.median(seconds):.2f} s",
            "0.2 s in which the speed is measured",
        )
    ]


def _trained(
    folder: str,
    data: dict[str, Any],
    network: dict[str, Any],
    members: int,
    *,
    epochs: int = 1,
    pruner: str = "edge-popup",
) -> Path:
    """A study of two populations."""
    names = (pruner, "biprop") if pruner != "random" else (pruner,)
    made = study.build(
        {
            "data": data,
            "network": network,
            "training": {"epochs": epochs, "batch_size": 64},
            "population": [{"pruner": name, "density": 0.5, "members": members} for name in names],
            "seeds": {"weights": 1},
        }
    )
    out = Path(folder) / "study"
    stages.train(made, out, device="cpu")
    return out


def _plan(out: Path, path: str | None) -> plan.Plan:
    names = None if path is None else (path,)
    options = plan.Options(Budget(evaluations=1), names, "cpu", parallel.cores())
    made = planning.make(Archive(out), options)
    if made is None:
        raise RuntimeError(f"{out} has no landscape")
    whole = planning.make(
        Archive(out), plan.Options(Budget(evaluations=10**9), names, "cpu", parallel.cores())
    )
    return made if whole is None else whole


def _walks(made: plan.Plan, pairs: int, points: int, orders: int = 1) -> list[Task]:
    """All points, ends included, of paths between so many pairs; for Conv6 the inner ones."""
    ids, name = list(made.context.blocks), (made.context.settings.paths or ["linear"])[0]
    path = paths.all_paths()[name]
    inner = slice(1, -1) if points != _POINTS else slice(None)
    grid = torch.linspace(0, 1, points)[inner]
    chosen = [(a, b) for at, a in enumerate(ids) for b in ids[at + 1 :]][:pairs]

    def task(a: str, b: str, order: int) -> Task:
        ends = made.context.ends

        def build(positions: Any) -> dict[str, torch.Tensor]:
            random = lambda: np.random.RandomState(order)  # noqa: E731
            return path.states(ends, ends.of(a), ends.of(b), grid[list(positions)], random)

        return Task(f"{a}-{b}-{order}", len(grid), build, splits=("test",))

    return [task(a, b, order) for a, b in chosen for order in range(orders)]


def _pieces(made: plan.Plan, tasks: list[Task]) -> list[list[Task]]:
    from masklab.landscape.tasks import pieces

    return pieces(tasks, made.evaluator.at_once)
