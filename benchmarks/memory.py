"""Peak memory of a cohort beside what its tensors add up to, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import torch

from benchmarks import steps
from masklab import networks
from masklab.training import measure as measuring

SETTINGS, SHAPE, BATCH = networks.Settings("conv6"), (3, 32, 32), 128


def computed(members: int, activations: int, width: int) -> int:
    """Scores, momentum, effective weights, gradients (of `width` bytes each) and activations, in bytes."""
    weights = sum(layer.size for layer in networks.describe(SETTINGS, SHAPE, 10).layers)
    return members * weights * (4 + 4 + 2 * width) + activations


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure(members: int, precision: str) -> tuple[int, int]:
    """(peak, computed) bytes of a Conv6 cohort under the loop engine, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", str(members), precision]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    peak, sum_of_tensors = map(int, output.split())
    return peak, sum_of_tensors


def _main(members: int, precision: str) -> None:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    torch.set_num_threads(1)
    small = networks.Settings("conv6", 0.05)  # libraries load and warm up outside the measurement
    tiny, labels = steps.batches(1, 8, SHAPE)
    warm = steps.cohort("edge-popup", small, SHAPE, 1)
    steps.masked(warm, networks.skeleton(small, SHAPE, 10), "loop", dtype, tiny.to(dtype), labels)()
    images, labels = steps.batches(1, BATCH, SHAPE)
    tensors = steps.cohort("edge-popup", SETTINGS, SHAPE, 1).training_tensors(dtype)
    kept = measuring.kept_bytes(networks.skeleton(SETTINGS, SHAPE, 10), tensors, images.to(dtype), labels)
    expected = computed(members, kept, 2 if precision == "bf16" else 4)
    del images, tensors
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _status("VmRSS")
    images, labels = steps.batches(members, BATCH, SHAPE)
    step = steps.masked(
        steps.cohort("edge-popup", SETTINGS, SHAPE, members),
        networks.skeleton(SETTINGS, SHAPE, 10),
        "loop",
        dtype,
        images.to(dtype),
        labels,
    )
    for _ in range(3):
        step()
    sys.stdout.write(f"{_status('VmHWM') - before} {expected}\n")


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
