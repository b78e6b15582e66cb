"""Devices and threads, set so that equal plans give equal bytes."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from masklab import parallel
from masklab.errors import ConfigError

KINDS = ("auto", "cpu", "cuda")


def resolve(wanted: str) -> str:
    """`"cpu"` or `"cuda"` for what the user asked; torch is imported only where a GPU may be.

    Raises:
        ConfigError: Unknown device, or CUDA without a usable GPU.
    """
    if wanted not in KINDS:
        raise ConfigError(f"unknown device {wanted!r}; known: {', '.join(KINDS)}")
    if wanted == "cpu" or (wanted == "auto" and not _driver_present()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise ConfigError(
            "device 'cuda' was asked for, but torch sees no usable GPU; use --device cpu or auto"
        )
    return "cpu"


def jobs(device: str, threads: int, gpus_per_job: float | None) -> int:
    """Worker processes that use this machine well: jobs × threads = cores, or one unless a GPU is shared.

    Args:
        device: `"cpu"` or `"cuda"`.
        threads: Processor threads of each.
        gpus_per_job: Share of a GPU that each takes.
    """
    if device != "cuda":
        return max(1, parallel.cores() // threads)
    if gpus_per_job is None:
        return 1
    return max(1, int(gpus(device) / gpus_per_job))


def gpus(device: str) -> int:
    """GPUs of this machine that torch sees; none is looked for where a CPU computes."""
    if device != "cuda":
        return 0
    import torch

    return torch.cuda.device_count()


def use(gpu: int | None) -> None:
    """Let `"cuda"` mean one of several GPUs in this process; None: leave it."""
    if gpu is not None:
        import torch

        torch.cuda.set_device(gpu)


def _driver_present() -> bool:
    return not sys.platform.startswith("linux") or Path("/proc/driver/nvidia/version").exists()


def multiplies_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; without it, bf16 is slower than fp32."""
    path = Path("/proc/cpuinfo")
    flags = path.read_text() if path.exists() else ""
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


@contextlib.contextmanager
def prepared(device: str, threads: int) -> Iterator[None]:
    """As `prepare`; the number of threads is the caller's again afterwards."""
    import torch

    before = torch.get_num_threads()
    prepare(device, threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepare(device: str, threads: int) -> None:
    """Fix the number of threads; on a GPU, deterministic convolutions and full float32 precision."""
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(threads)
    if device == "cuda":
        torch.use_deterministic_algorithms(True, warn_only=True)  # not every network has such algorithms
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
