"""Memory: what is there, and what a cohort takes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SHARE = 0.6
"""Share of the memory that is free which masklab plans to use."""

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True)
class Need:
    """What a cohort takes, in bytes.

    Attributes:
        state: Per member: weights, scores, optimiser memory, effective weights, gradients.
        activations: What one member's forward pass keeps for the backward pass.
        together: Whether all members' activations are there at once (`vmap`), or one member's (`loop`).
    """

    state: int
    activations: int
    together: bool

    def of(self, members: int) -> int:
        """Bytes of a cohort of so many members.

        Examples:
            >>> Need(10, 5, together=False).of(3), Need(10, 5, together=True).of(3)
            (35, 45)
        """
        return self.state * members + self.activations * (members if self.together else 1)

    def largest(self, available: int) -> int:
        """Most members that fit; 0 where not even one does."""
        fixed = 0 if self.together else self.activations
        each = self.state + (self.activations if self.together else 0)
        return max(0, (available - fixed) // max(1, each))


def state_bytes(record: Mapping[str, Any], slots: int, refreshed: bool) -> int:
    """Bytes per member that a cohort's tensors take, activations apart.

    Counted per weight, 4 bytes each: base weight, score, ranking key, effective weight, gradient, what the
    optimiser remembers, and the origin where there is a refresh; and 1 byte for the mask.
    """
    weights = sum(layer["size"] for layer in record["network"]["layers"])
    return weights * (4 * (5 + slots + refreshed) + 1)


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
    lines = Path("/proc/meminfo").read_text().splitlines()
    found = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    free = found.get("MemAvailable", 2**33)
    for limit, used in _CGROUPS:
        if Path(limit).exists() and (text := Path(limit).read_text().strip()).isdigit():
            free = min(free, max(0, int(text) - int(Path(used).read_text())))
    return free
