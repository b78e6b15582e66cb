"""Files as other tools write them."""

import io
import math
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from masklab import stages
from masklab.archive import Archive
from masklab.archive.exchange import Outcome

EYE = torch.eye(3)

SHAPES = {"convs.0": (6, 1, 3, 3), "convs.2": (4, 6, 3, 3), "linear.0": (5, 16, 1, 1)}
"""Layers of a network of hidden-networks: fully connected ones are 1×1 convolutions."""


def network(seed: int = 0) -> nn.Sequential:
    """Convolution with bias, batch norm, linear layer; layers `0` and `4`."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 10)
    )


def pruned(seed: int = 0, weights: int = 0, amount: float = 0.5) -> nn.Sequential:
    """That network with both weights pruned at random by torch."""
    found = network(weights)
    torch.manual_seed(1000 + seed)
    for module in (found[0], found[4]):
        prune.random_unstructured(module, "weight", amount=amount)
    return found


def module_masks(found: nn.Sequential) -> dict[str, np.ndarray]:
    """Layer name → mask that torch keeps beside each weight."""
    return {
        name: module.get_buffer("weight_mask").numpy().astype(bool)
        for name, module in found.named_children()
        if hasattr(module, "weight_mask")
    }


def save(folder: Path, name: str, document: Any) -> Path:
    """A file that `torch.save` wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(document, folder / name)
    return folder / name


def checkpoint(seed: int = 0, prefix: str = "module.", **more: Any) -> dict[str, Any]:
    """A checkpoint of hidden-networks: weights and scores of the same shape, beside what its loop notes."""
    generator = torch.Generator().manual_seed(seed)
    state: OrderedDict[str, Tensor] = OrderedDict()
    for name, shape in SHAPES.items():
        fan = math.prod(shape[1:])
        state[f"{prefix}{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        state[f"{prefix}{name}.scores"] = (2 * torch.rand(shape, generator=generator) - 1) / fan**0.5
    return {
        "epoch": 100,
        "arch": "Conv4",
        "state_dict": state,
        "best_acc1": 86.5,
        "best_acc5": 99.5,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "curr_acc1": 86.25,
        **more,
    }


def reference_mask(scores: Tensor, k: float) -> Tensor:
    """Mask by the sort of the reference code: all but the `int((1 − k)·n)` smallest |scores|."""
    order = scores.abs().flatten().argsort()
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[order[: int((1 - k) * scores.numel())]] = False
    return mask.reshape(scores.shape)


def take(out: Path, *places: Path, **options: Any) -> Outcome:
    """`stages.import_masks`."""
    return stages.import_masks(places, out, **options)


def only(out: Path, *places: Path, **options: Any) -> tuple[Archive, list[str]]:
    """Import into a directory, and open it: the archive, and the ids of the population."""
    name = take(out, *places, **options).population
    archive = Archive(out)
    return archive, [own for own in archive.ids if own.rpartition("/")[0] == name]


def equal(first: Any, second: Any) -> bool:
    """Whether two mappings hold equal arrays of equal types under equal names."""
    return set(first) == set(second) and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name])
        for name in first
    )


def savez(place: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """`np.savez` with names that are no words of Python."""
    named: dict[str, Any] = dict(arrays)
    np.savez(place, **named)


def give(out: Path, own: str, target: Path, **options: Any) -> Path:
    """`stages.export`."""
    stages.export(out, own, target, **options)
    return target


def npz_bytes(**arrays: np.ndarray) -> bytes:
    """What `np.savez_compressed` writes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def torch_bytes(document: object, **options: bool) -> bytes:
    """What `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(document, buffer, **options)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()
