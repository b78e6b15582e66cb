"""Results as other studies and earlier analyses have them."""

from typing import Any

from . import builder
from .recipe import REFERENCE


def add_reference(results: dict[str, Any], members: int = 2) -> None:
    """Add a population that keeps every weight and is compared with nothing."""
    row = dict(results["populations"][0])
    row.update(
        name=REFERENCE,
        pruner="dense",
        gate=None,
        control="dense",
        density=1.0,
        members=members,
        stored=members,
        compared=False,
        kept=row["size"],
        overrides={},
    )
    own = [
        {
            **results["members"][0],
            "id": f"{REFERENCE}/{index:04d}",
            "population": REFERENCE,
            "index": index,
            "block": index,
            "accuracy": 0.91 + 0.002 * index,
            "kept_density": 1.0,
        }
        for index in range(members)
    ]
    results["populations"].append(row)
    results["members"] += own
    results["accuracy"] += builder.accuracy([REFERENCE], own)
    results["study"]["populations"].append({"name": REFERENCE, "digest": "dd" * 32})


def clear(results: dict[str, Any], *but: str) -> None:
    """Take away all that is measured of compared masks, some keys excepted; members and accuracies stay."""
    kept = (*but, "populations", "members", "accuracy", "failures", "warnings")
    for key, rows in results.items():
        if isinstance(rows, list) and key not in kept:
            results[key] = []
    results["scope"] = results["landscape_work"] = None


def without_pairs(results: dict[str, Any]) -> None:
    """Leave what takes time linear in the members."""
    why = "distances of all pairs of 18 members need about 9.9 GB: only what is linear is measured"
    results["without_pairs"] = why
    for key in ("overlap", "clusters", "function", "ensembles", "scatter", "diversity", "rarefaction"):
        results[key] = []
    results["embeddings"], results["nulls"], results["scope"] = [], [], None
    results["structure"] = [row for row in results["structure"] if row["metric"] != "distance_share"]
    results["tests"] = [row for row in results["tests"] if row["test"] not in {"permanova", "mantel"}]
    results["warnings"].append({"code": "without-pairs", "text": why, "where": "overlap"})


def make_old(results: dict[str, Any]) -> None:
    """Take away every key that the first analyses did not write."""
    del results["movement"], results["study"]["plan"], results["study"]["data"]["download"]
    for key in ("batchnorm", "mask_only", "mask_except", "unmasked", "buffers"):
        del results["study"]["network"][key]
    for key in ("optimizer", "warmup_epochs", "label_smoothing", "selection", "ramp_epochs"):
        del results["study"]["training"][key]
    for row in results["populations"]:
        del row["trained"], row["compared"]
        row["options"].pop("period_steps", None)
