"""Memory: what is there, and what a cohort takes."""

import sys
from dataclasses import dataclass
from pathlib import Path

_SHARE = 0.6
"""Share of the memory that is free which masklab plans to use."""

_FLOAT = 4

_CGROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Folder of the control group, its files of limit and use, and what of the use is cache that gives way."""


@dataclass(frozen=True)
class Need:
    """What a cohort takes, in bytes.

    Attributes:
        state: Kept per member: weights, scores, optimiser memory, origins.
        step: What a step of one member needs besides: effective weights, gradients, ranking, activations.
        together: Whether all members take a step at once (`vmap`), or one after the other (`loop`).
    """

    state: int
    step: int
    together: bool

    def of(self, members: int) -> int:
        """Bytes of a cohort of so many members.

        Examples:
            >>> Need(10, 5, together=False).of(3), Need(10, 5, together=True).of(3)
            (35, 45)
        """
        return self.state * members + self.step * (members if self.together else 1)

    def largest(self, available: int) -> int:
        """Most members that fit; 0 where not even one does."""
        fixed = 0 if self.together else self.step
        each = self.state + (self.step if self.together else 0)
        return max(0, (available - fixed) // max(1, each))


def need(weights: int, slots: int, refreshed: bool, activations: int, precision: str, together: bool) -> Need:
    """What a population's cohorts take.

    Args:
        weights: Masked weights of one member.
        slots: Tensors that the optimiser remembers.
        refreshed: Whether origins are kept.
        activations: Bytes that autograd keeps of one member, as measured.
        precision: `"fp32"` or `"bf16"`; a lower one keeps a second copy of the base weights.
        together: See `Need`.
    """
    wide = 2 if precision == "bf16" else 4
    copy = wide if wide < _FLOAT else 0
    state = weights * (_FLOAT * (2 + slots + refreshed) + copy)
    step = weights * (2 * wide + 2 * _FLOAT + 1)  # effective, gradient; ranking key, its partition, mask
    return Need(state, step + activations, together)


def available(device: str) -> int:
    """Bytes that masklab may plan with on a device, the machine's other users left alone."""
    if device == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info()
        return int(free * _SHARE)
    return int(_free() * _SHARE)


def _free() -> int:
    """Free memory of this machine or of the control group that this process lives in."""
    if not sys.platform.startswith("linux"):
        return 2**33  # no portable way to ask
    lines = [line for line in _lines("/proc/meminfo") if line.endswith("kB")]
    found = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    free = found.get("MemAvailable", 2**33)
    for folder, limit, used, cache in _CGROUPS:
        if Path(f"{folder}/{limit}").exists():
            bound = Path(f"{folder}/{limit}").read_text().strip()
            stat = dict(map(str.split, _lines(f"{folder}/memory.stat")))
            taken = int(Path(f"{folder}/{used}").read_text()) - int(stat.get(cache, 0))
            free = min(free, max(0, int(bound) - taken)) if bound.isdigit() else free
    return free


def _lines(path: str) -> list[str]:
    """Lines of a file of the system; none where it does not exist."""
    return Path(path).read_text().splitlines() if Path(path).exists() else []
