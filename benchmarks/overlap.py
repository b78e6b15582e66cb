"""All-pairs intersections of packed masks beside other libraries, and the population count of the machine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

import masklab
from benchmarks import archive, clock
from masklab import bits
from masklab.analysis import tiles

MEMBERS, BITS = 1024, 4_194_304
"""The comparison with one plain call."""

SMALL_MEMBERS, SMALL_BITS = 256, 1_048_576
"""What every library can do in a reasonable time."""

LARGE_MEMBERS, LARGE_WIDTH = 10_000, 1.05
"""Out of core; the width gives an mlp for CIFAR-sized images about a million weights."""


def _packed(members: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (members, size // 8), dtype=np.uint8)


def _work(members: int, size: int) -> float:
    """Pairs × bits; a pair of equal rows counts as one."""
    return members * (members + 1) / 2 * size


def popcount_limit(threads: int) -> float:
    """Bits of `a & b` counted per second, in 10¹²: data in the cache, so many threads at once, best of 30."""
    import numkong

    best, calls = 0.0, 20
    for height, width in ((64, 1024), (128, 2048), (256, 2048), (256, 4096)):
        rows = _packed(height, width * 8)
        view = numkong.from_pointer(rows.ctypes.data, rows.shape, "uint1", owner=rows)
        other = numkong.dots_pack(rows, dtype="uint1")

        def work(_: int, view: object = view, other: object = other) -> None:
            for _ in range(calls):
                numkong.dots_packed(view, other)  # pyright: ignore[reportArgumentType]

        with ThreadPoolExecutor(threads) as pool:
            run = partial(lambda pool, work: list(pool.map(work, range(threads))), pool, work)
            taken = clock.in_turns({"count": run}, 15)["count"]
        best = max(best, threads * calls * height * height * width * 8 / float(taken.min()) / 1e12)
    return best


def large_rows(rounds: int) -> list[clock.Row]:
    """1,024 masks of 4.2 million bits: this kernel on all cores and on one, and one plain numkong call."""
    import numkong

    cores = os.cpu_count() or 1
    packed, work = _packed(MEMBERS, BITS), _work(MEMBERS, BITS) / 1e12
    taken = clock.in_turns(
        {
            "all": lambda: bits.intersections(packed, threads=cores),
            "one": lambda: bits.intersections(packed),
            "plain": lambda: numkong.dots_symmetric(packed, dtype="uint1"),
        },
        rounds,
        warm_up=1,
    )
    limit = f"population count {popcount_limit(cores):.2f} on {cores} cores, {popcount_limit(1):.2f} on one"
    rate = {name: work / float(np.median(seconds)) for name, seconds in taken.items()}
    best = work / float(taken["all"].min())
    shape = f"{MEMBERS:,} masks × {BITS / 1e6:.1f} M bits"
    return [
        clock.Row(
            f"{shape}, {cores} cores, Tbit-pairs/s", "≥ 1.5", f"{rate['all']:.2f} (best {best:.2f})", limit
        ),
        clock.Row(f"{shape}, one core, Tbit-pairs/s", "–", f"{rate['one']:.2f}", limit),
        clock.Row(f"{shape}, one plain numkong call", "–", f"{rate['plain']:.2f}", limit),
        clock.Row(
            f"{shape}: rate ÷ one plain call",
            "≥ 2.5",
            str(clock.ratio(taken["plain"], taken["all"])),
            f"{cores} × the rate of data in cache",
        ),
    ]


def libraries(rounds: int) -> list[str]:
    """A table of its own: the same counts by other libraries, rate relative to this kernel on all cores."""
    import faiss  # pyright: ignore[reportMissingImports]  # an extra of its own
    import numkong
    from scipy.spatial import distance
    from sklearn import metrics

    cores = os.cpu_count() or 1
    packed = _packed(SMALL_MEMBERS, SMALL_BITS)
    few = SMALL_MEMBERS // 8  # the slow ones on fewer rows; rates are per pair
    dense = bits.unpack(packed[:few], SMALL_BITS)
    index = faiss.IndexBinaryFlat(SMALL_BITS)
    index.add(packed)
    whole, part = _work(SMALL_MEMBERS, SMALL_BITS), _work(few, SMALL_BITS)
    contestants: dict[str, tuple[Callable[[], object], float]] = {
        f"masklab, {cores} cores": (lambda: bits.intersections(packed, threads=cores), whole),
        "masklab, one core": (lambda: bits.intersections(packed), whole),
        "numkong `dots_symmetric`, one call": (
            lambda: numkong.dots_symmetric(packed, dtype="uint1"),
            whole,
        ),
        "numpy `bitwise_count`": (lambda: bits.numpy_intersections(packed[:few]), 2 * part),
        "faiss `IndexBinaryFlat` (all pairs twice)": (
            lambda: index.search(packed, SMALL_MEMBERS),
            2 * whole,
        ),
        "scipy `pdist`, hamming, unpacked": (lambda: distance.pdist(dense, "hamming"), part),
        "scikit-learn `pairwise_distances`, hamming, unpacked": (
            lambda: metrics.pairwise_distances(dense, metric="hamming"),
            part,
        ),
    }
    taken = clock.in_turns({name: run for name, (run, _) in contestants.items()}, rounds, warm_up=1)
    rate = {name: work / float(np.median(taken[name])) / 1e12 for name, (_, work) in contestants.items()}
    first = next(iter(rate.values()))
    lines = ["| method | Tbit-pairs/s | ÷ masklab |", "|---|---|---|"]
    return lines + [f"| {name} | {value:.4f} | {value / first:.4f} |" for name, value in rate.items()]


def out_of_core() -> list[clock.Row]:
    """Ten thousand stored masks of a million bits, in a process of its own whose peak memory is read."""
    with archive.stored_study("mlp", LARGE_WIDTH, LARGE_MEMBERS, 20, 0.5) as out:
        size = sum(layer["size"] for layer in masklab.open(out).study["network"]["layers"])
        command = [sys.executable, "-m", "benchmarks.overlap", str(out)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    seconds, peak = map(float, output.split())
    rate = _work(LARGE_MEMBERS, size) / seconds / 1e12
    measure = f"{LARGE_MEMBERS:,} stored masks × {size / 1e6:.2f} M bits, read and compared"
    return [
        clock.Row(
            f"{measure}, minutes", "≤ 3", f"{seconds / 60:.2f} ({rate:.2f} Tbit-pairs/s)", "rates above"
        ),
        clock.Row(
            f"{measure}, peak memory, GB", "≤ 4", f"{peak / 1e9:.2f}", "0.4 per layer for the counts alone"
        ),
    ]


def _main(folder: str) -> None:
    archive = masklab.open(folder)
    layers = len(archive.study["network"]["layers"])
    started = time.perf_counter()
    out = np.empty((layers, len(archive.ids), len(archive.ids)), dtype=np.uint32)
    tiles.count(archive, archive.ids, memory=2 * 10**9, threads=os.cpu_count() or 1, out=out)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    sys.stdout.write(f"{seconds} {peak}\n")


if __name__ == "__main__":
    _main(sys.argv[1])
