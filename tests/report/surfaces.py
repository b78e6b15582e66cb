"""Synthetic planes, and the arrays that they are drawn from."""

from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]

LEAST = 0.103


def rows(names: list[str], members: list, header: Row) -> list[Row]:
    """Rows of `planes`: two of each population with enough members."""
    found = []
    for p, name in enumerate(names):
        own = [f"{name}/{index:04d}" for population, index, _ in members if population == p]
        for kind, needed in (("members", 3), ("flips", 2)):
            if len(own) < needed:
                continue
            flips = kind == "flips"
            side = np.linspace(*((0.0, 1.0) if flips else (-0.25, 1.25)), 7).tolist()
            corners = [(0.0, 0.0)] if flips else [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
            chosen = own[: len(corners)]
            found.append(
                {
                    "population": name,
                    "kind": kind,
                    "members": chosen,
                    "x": side,
                    "y": side,
                    "distances": {"d": 0.4} if flips else {"ab": 0.4, "ac": 0.4, "bc": 0.4},
                    "flips": 14_000 if flips else None,
                    **header,
                    "array": f"plane/{len(found)}",
                    "accuracy_min": LEAST,
                    "accuracy_max": 0.85,
                    "loss_max": 3.0,
                    "at": [
                        {"id": member, "x": x, "y": y, "accuracy": 0.85}
                        for member, (x, y) in zip(chosen, corners, strict=True)
                    ],
                }
            )
    return found


def save(folder: Path, planes: list[Row]) -> None:
    """Write `landscape.npz`: accuracy falls with the distance from the nearest member."""
    arrays = {}
    for plane in planes:
        y, x = np.meshgrid(plane["y"], plane["x"], indexing="ij")
        far = np.min([np.hypot(x - at["x"], y - at["y"]) for at in plane["at"]], axis=0)
        arrays[f"{plane['array']}/accuracy"] = np.maximum(LEAST, 0.85 - far)
        arrays[f"{plane['array']}/loss"] = 4.0 * far
    if arrays:
        write(folder, arrays)


def write(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `landscape.npz` with some arrays."""
    np.savez(folder / "landscape.npz", **arrays)  # pyright: ignore[reportArgumentType]
