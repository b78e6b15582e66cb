"""Measure everything and write RESULTS.md beside this file."""

import datetime
import logging
import os
from pathlib import Path

import torch

from benchmarks import clock, training

_HEAD = """# Results

Ratios measured side by side in one run by `make bench`: median (first–third quartile, rounds). Machines are
noisy: times are for orientation only, and no test asserts any of them.

"""


def main() -> None:
    """Run all benchmarks that this machine can run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log, rows = logging.getLogger("benchmarks"), []
    torch.set_num_threads(os.cpu_count() or 1)
    limits = clock.Limits.measured()
    for name, run in (
        ("conv6", lambda: training.conv6(limits, rounds=40)),
        ("memory", training.peak),
        ("demo", lambda: training.demo(rounds=5)),
        *([("gpu", lambda: training.gpu(rounds=50))] if torch.cuda.is_available() else []),
    ):
        found = run()
        rows += found
        for row in found:
            log.info("%s: %s: %s (reach %s)", name, row.measure, row.value, row.reach)
    lines = [f"| {row.measure} | {row.reach} | {row.value} | {row.limit} |" for row in rows]
    if not torch.cuda.is_available():
        lines.append("| GPU lines | ≥ 20, ≤ 1.10 | not measured: no GPU at hand | – |")
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    text = [f"## Training, {date}", "", f"{clock.machine()}; torch {torch.__version__}.", ""]
    text += [
        f"Limits: copy {limits.copy:.1f} GB/s; matrix product {limits.fp32:.2f} TFLOP/s in float32, "
        f"{limits.bf16:.2f} in bfloat16.",
        "",
        "| measure | reach | measured | physical limit |",
        "|---|---|---|---|",
        *lines,
        "",
    ]
    Path(__file__).with_name("RESULTS.md").write_text(_HEAD + "\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
