"""Measure everything, or the parts that are named, and write RESULTS.md beside this file."""

import datetime
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import archive, clock, landscape, overlap, report, training, workers

_HEAD = """# Results

Ratios measured side by side in one run by `make bench` (one part: `python -m benchmarks archive`): median
(first–third quartile, rounds). Machines are noisy: times are for orientation only, and no test asserts any of
them.
"""

_LOG = logging.getLogger("benchmarks")


def _training(limits: clock.Limits) -> list[str]:
    torch.set_num_threads(os.cpu_count() or 1)
    rows = [*training.conv6(limits, rounds=40), *training.peak(), *training.demo(rounds=5)]
    rows += training.gpu(rounds=50) if torch.cuda.is_available() else []
    lines = clock.table(rows)
    if not torch.cuda.is_available():
        lines.append("| GPU lines | ≥ 20, ≤ 1.10 | not measured: no GPU at hand | – |")
    return lines


def _archive(limits: clock.Limits) -> list[str]:
    torch.set_num_threads(1)
    rows = [archive.worst_size(), *archive.encoding_rate(rounds=15), *archive.loading(1000)]
    rows += archive.opening(10_000)
    text = "Size ÷ entropy bound; MB/s of packed bytes encoded, decoded; one million weights, one core:"
    return [*clock.table(rows), "", text, "", *archive.codecs(rounds=15)]


def _overlap(limits: clock.Limits) -> list[str]:
    rows = [*overlap.large_rows(rounds=7), *overlap.out_of_core()]
    text = "256 masks × 1 M bits, rates of libraries (those that are slow on 32 masks):"
    return [*clock.table(rows), "", text, "", *overlap.libraries(rounds=5)]


def _landscape(limits: clock.Limits) -> list[str]:
    rows = [*landscape.digits(rounds=7), *landscape.conv6(limits, rounds=5), *landscape.plans(rounds=3)]
    return clock.table(rows)


def _report(limits: clock.Limits) -> list[str]:
    return clock.table(report.pages(rounds=5))


def _workers(limits: clock.Limits) -> list[str]:
    rows, seconds = workers.overhead(rounds=5)
    return clock.table([*workers.demo(rounds=2), *rows, *workers.cluster(seconds.get("dask", 0.0))])


PARTS: dict[str, Callable[[clock.Limits], list[str]]] = {
    "training": _training,
    "archive": _archive,
    "overlap": _overlap,
    "landscape": _landscape,
    "report": _report,
    "workers": _workers,
}
"""What can be measured: name → function from the machine's limits to lines of Markdown."""


def main(wanted: list[str]) -> None:
    """Run all benchmarks that this machine can run; parts that are not named keep their last results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        sys.exit(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    path = Path(__file__).with_name("RESULTS.md")
    sections = _sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    limits = clock.Limits.measured()
    for name in wanted or PARTS:
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        lines = [
            f"## {name.capitalize()}, {date}",
            "",
            f"{clock.machine()}; torch {torch.__version__}. Limits: copy {limits.copy:.1f} GB/s; matrix "
            f"product {limits.fp32:.2f} TFLOP/s in float32, {limits.bf16:.2f} in bfloat16.",
            "",
            *PARTS[name](limits),
            "",
        ]
        sections[name] = "\n".join(lines)
        _LOG.info("%s", sections[name])
    path.write_text(
        "\n".join([_HEAD, *(sections[name] for name in PARTS if name in sections)]), encoding="utf-8"
    )


def _sections(text: str) -> dict[str, str]:
    """Part → its section in the results so far."""
    found = {}
    for section in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]:
        found[section.removeprefix("## ").partition(",")[0].lower()] = section.rstrip() + "\n"
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
