"""Backends side by side: the demo on one and two workers, what a task costs, and a cluster worked out."""

import heapq
import math
import multiprocessing
import os
import shutil
import tempfile
import time
from importlib import util
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import masklab
from benchmarks import archive, clock, overlap
from masklab import bits, parallel, stages, study
from masklab.analysis import tiles

DEMO = Path(__file__).parents[1] / "reports/digits/study.toml"

MASKS, BITS, WORKERS = 100_000, 10_000_000, 64
"""The cluster that is worked out: all pairs of so many masks of one layer."""

_TASKS = 300


def backends() -> list[str]:
    """Backends that are installed."""
    needed = {"loky": "joblib", "dask": "distributed", "ray": "ray"}
    return [name for name in parallel.BACKENDS if util.find_spec(needed[name])]


def demo(rounds: int) -> list[clock.Row]:
    """Training of the demo by two workers of each backend ÷ by one process, starting them included."""
    of = study.read(DEMO)
    with tempfile.TemporaryDirectory() as folder:
        planned = Path(folder) / "planned"
        stages.train(of, planned, jobs=2, device="cpu")  # the plan, whose measurement is not what is timed

        def train(backend: str, jobs: int) -> None:
            out = Path(folder) / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            for name in ("study.json", "plan.json"):
                shutil.copy(planned / name, out / name)
            stages.train(of, out, backend=backend, jobs=jobs, device="cpu")

        things = {"one": lambda: train("loky", 1)}
        things |= {name: lambda name=name: train(name, 2) for name in backends()}
        taken = clock.in_turns(things, rounds, warm_up=0)  # each starts from nothing
    rows = []
    for name in backends():
        own = clock.ratio(taken[name], taken["one"])
        rows.append(
            clock.Row(
                f"demo, 84 members: {name} with 2 workers ÷ one process",
                "≤ 1" if name == "loky" else "–",
                f"{own}; {own.seconds[0]:.1f} s, one process {own.seconds[1]:.1f} s",
                f"1 ÷ {min(2, os.cpu_count() or 1)} cores; starting workers takes seconds",
            )
        )
    return rows


def overhead(rounds: int) -> tuple[list[clock.Row], dict[str, float]]:
    """Seconds that a task takes which does nothing, on two workers that are there, by backend; and lines."""
    limit = _round_trip()
    rows, seconds = [], {}
    for name in backends():
        with parallel.opened(parallel.Workers(name, jobs=2)) as pool:
            taken = clock.in_turns({"all": lambda pool=pool: _nothing(pool)}, rounds, warm_up=1)["all"]
        low, seconds[name], high = np.quantile(taken / _TASKS, [0.25, 0.5, 0.75])
        rows.append(
            clock.Row(
                f"{name}: overhead of a task, ms",
                "–",
                f"{1e3 * seconds[name]:.2f} ({1e3 * low:.2f}–{1e3 * high:.2f}, {rounds} rounds of {_TASKS})",
                f"{1e3 * limit:.3f}: a message to another process and back",
            )
        )
    return rows, seconds


def _nothing(pool: parallel.Pool) -> None:
    done = sum(1 for _ in pool.outcomes(math.sqrt, [(1.0,)] * _TASKS))
    if done != _TASKS:
        raise RuntimeError(f"{done} of {_TASKS} tasks came back")


def _echo(connection: Connection) -> None:
    while connection.recv() is not None:
        connection.send(0)


def _round_trip() -> float:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_echo, args=(there,), daemon=True)
    process.start()
    here.send(0)
    here.recv()
    started = time.perf_counter()
    for _ in range(1000):
        here.send(0)
        here.recv()
    taken = time.perf_counter() - started
    here.send(None)
    process.join()
    return taken / 1000


def cluster(per_task: float) -> list[clock.Row]:
    """All pairs of 10⁵ masks of 10⁷ bits on 64 workers, worked out from what one core does here.

    A tile takes one reading of each of its bands at the measured rate of stored masks into packed rows, the
    counting at the measured rate of one core, and the overhead of a task; tiles go to whichever worker is
    free first. Every worker is taken to read as fast as one does here, from a disk of its own or a store
    that keeps up.

    Args:
        per_task: Overhead of a task, in seconds.
    """
    planned = tiles.plan(MASKS, [BITS])
    band = planned[0].rows.stop - planned[0].rows.start
    packed = np.random.default_rng(0).integers(0, 256, (band, bits.packed_size(BITS)), dtype=np.uint8)
    half = band // 2
    count = min(_seconds(packed[:half], packed[half : 2 * half]) for _ in range(3))
    rate = half * half * BITS / count
    reading = _reading()
    seconds = [_tile_s(tile, rate, reading) + per_task for tile in planned]
    free = [0.0] * WORKERS
    for own in seconds:
        heapq.heapreplace(free, free[0] + own)
    total, bound = max(free), MASKS * (MASKS + 1) / 2 * BITS / overlap.popcount_limit(1) / 1e12 / WORKERS
    together = WORKERS * reading / 1e9
    return [
        clock.Row(
            f"10⁵ masks × 10⁷ bits, all pairs on {WORKERS} workers, worked out",
            "–",
            f"{total / 60:.0f} min in {len(planned):,} tiles of {band} × {band} masks (counting "
            f"{rate / 1e12:.2f} Tbit-pairs/s and reading {reading / 1e6:.0f} MB/s per worker as measured "
            f"here, {1e3 * per_task:.1f} ms per task; {together:.0f} GB/s of packed masks in all)",
            f"{bound / 60:.0f} min: population count of data in the cache on {WORKERS} cores",
        )
    ]


def _tile_s(tile: tiles.Tile, rate: float, reading: float) -> float:
    rows, columns = tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start
    read = rows if tile.rows == tile.columns else rows + columns
    return rows * columns * BITS / rate + read * bits.packed_size(BITS) / reading


def _seconds(rows: np.ndarray, columns: np.ndarray) -> float:
    started = time.perf_counter()
    bits.intersections(rows, columns)
    return time.perf_counter() - started


def _reading() -> float:
    """Bytes of packed rows per second that one core reads from member files, as a worker does."""
    members = 200
    with archive.stored_study("conv6", 1.0, members, 20, 0.5) as out:
        stored = masklab.open(out)
        layers = stored.study["network"]["layers"]
        best = math.inf
        for _ in range(3):
            started = time.perf_counter()
            for layer in layers:
                stored.packed(layer["name"])
            best = min(best, time.perf_counter() - started)
        return members * sum(bits.packed_size(layer["size"]) for layer in layers) / best
