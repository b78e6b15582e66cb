"""Timing side by side, and the machine's own limits."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass(frozen=True)
class Row:
    """One line of a table of results.

    Attributes:
        measure: What is compared.
        reach: The number to reach.
        value: The number measured, with its spread.
        limit: What the machine allows.
    """

    measure: str
    reach: str
    value: str
    limit: str


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table."""
    head = ["| measure | reach | measured | physical limit |", "|---|---|---|---|"]
    return head + [f"| {row.measure} | {row.reach} | {row.value} | {row.limit} |" for row in rows]


@dataclass(frozen=True)
class Ratio:
    """Time of one thing ÷ time of another, measured in turns.

    Attributes:
        median: Median of the paired ratios.
        low: First quartile.
        high: Third quartile.
        rounds: Number of pairs.
        seconds: Median time of both.
    """

    median: float
    low: float
    high: float
    rounds: int
    seconds: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f}–{self.high:.3f}, {self.rounds} rounds)"


def in_turns(
    things: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2
) -> dict[str, np.ndarray]:
    """Seconds of every thing in every round; all of them run in each, forwards and backwards in turn."""
    for _ in range(warm_up):
        for run in things.values():
            run()
    taken: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(rounds):
        for name in list(things)[:: -1 if turn % 2 else 1]:
            run = things[name]
            started = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            taken[name].append(time.perf_counter() - started)
    return {name: np.array(seconds) for name, seconds in taken.items()}


def ratio(over: np.ndarray, under: np.ndarray) -> Ratio:
    """Paired ratio of two rows of `in_turns`."""
    paired = over / under
    low, median, high = np.quantile(paired, [0.25, 0.5, 0.75])
    seconds = float(np.median(over)), float(np.median(under))
    return Ratio(float(median), float(low), float(high), len(paired), seconds)


def bandwidth_gb_s(device: str = "cpu") -> float:
    """Memory bandwidth of a copy of 256 MB (read and written bytes), best of 60."""
    source = torch.ones(2**26, device=device)
    target = torch.empty_like(source)
    seconds = in_turns({"copy": lambda: target.copy_(source)}, 60)["copy"]
    return 2 * source.numel() * 4 / float(seconds.min()) / 1e9


def matmul_tflop_s(dtype: torch.dtype, device: str = "cpu") -> float:
    """Rate of a 2048 × 2048 matrix product, best of 60."""
    a = torch.ones(2048, 2048, dtype=dtype, device=device)
    seconds = in_turns({"product": lambda: a @ a}, 60)["product"]
    return 2 * 2048**3 / float(seconds.min()) / 1e12


@dataclass(frozen=True)
class Limits:
    """What the machine allows, measured once per run: copies in GB/s, matrix products in TFLOP/s."""

    copy: float
    fp32: float
    bf16: float

    @classmethod
    def measured(cls, device: str = "cpu") -> "Limits":
        """The limits of a device."""
        rates = [matmul_tflop_s(dtype, device) for dtype in (torch.float32, torch.bfloat16)]
        return cls(bandwidth_gb_s(device), *rates)


def machine() -> str:
    """Processor, cores and GPU in one line."""
    names = [
        line.partition(":")[2].strip()
        for line in (Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else [])
        if line.startswith("model name")
    ]
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores{gpu}"
