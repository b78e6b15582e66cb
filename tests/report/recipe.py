"""The synthetic study behind the synthetic analyses: layers, pruners, recipe, provenance."""

from typing import Any

LAYERS = {"conv1": 1728, "conv2": 3686, "conv3": 7372, "conv4": 9216, "fc1": 12000, "fc2": 2560}
HOSTILE_LAYER = "<b>conv1</b>$_1$"
HOSTILE = '"><img src=x onerror=alert(1)>'
DENSITY = 0.5

Pruner = tuple[str, str | None, float, float]
PRUNERS: tuple[Pruner, ...] = (  # pruner, refresh, what masks share, accuracy
    ("edge-popup", None, 0.25, 0.8512),
    ("biprop", None, 0.55, 0.8587),
    ("biprop+recycle", "recycle", 0.75, 0.8731),
    ("edge-popup+recycle", "recycle", 0.45, 0.8694),
    ("edge-popup+iterand", "iterand", 0.35, 0.8702),
    ("biprop+iterand", "iterand", 0.5, 0.8651),
    ("random", None, 0.0, 0.1043),
)
REFERENCE = "dense-d1"
UNMASKED = [
    {"name": "stem.weight", "shape": [16, 3, 3, 3], "rule": "drawn"},
    *({"name": f"block{n}.class_token", "shape": [1, 1, 8], "rule": "constructed"} for n in range(8)),
    {"name": "scale", "shape": [], "rule": "learned-one"},
    {"name": "fc1.bias", "shape": [256], "rule": "zero"},
]
TRAINING: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 128,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0001,
    "schedule": "cosine",
    "warmup_epochs": 0,
    "label_smoothing": 0.0,
    "selection": "layer",
    "ramp_epochs": None,
    "augment": "crop-flip",
    "weight_init": "kaiming-normal",
    "fan_scale": "none",
    "score_init": "uniform",
    "rank": "magnitude",
}


def study(
    name: str, names: list[str], pruners: tuple[Pruner, ...], *, members: int, draws: int, hostile: bool
) -> dict[str, Any]:
    layers = [{"name": layer, "shape": [size], "size": size} for layer, size in LAYERS.items()]
    kept = [
        {"name": layer, "size": size, "kept": int(size * DENSITY + 0.5)} for layer, size in LAYERS.items()
    ]
    return {
        "schema": 1,
        "name": name,
        "seeds": {
            "study": 0,
            "weights": draws,
            **dict.fromkeys(("scores", "batches", "augment", "refresh", "mask"), "member"),
            "crossed": False,
        },
        "data": {
            "name": "cifar10",
            "path": HOSTILE if hostile else "data/cifar10",
            "download": False,
            "validation_fraction": 0.1,
            "digest": "c1" * 32,
            "train": 45000,
            "validation": 5000,
            "test": 10000,
            "classes": [HOSTILE if hostile else "plane", *(f"class-{c}" for c in range(1, 10))],
            "input_shape": [3, 32, 32],
        },
        "network": _network(layers),
        "training": dict(TRAINING),
        "plan": {"engine": "vmap", "precision": "fp32", "device": "cpu", "threads": 1, "torch": "2.15.0"},
        "analysis": {"interpolation_pairs": 4, "interpolation_points": 11},
        "recipe_digest": "ab" * 32,
        "populations": [
            {
                "name": names[p],
                "pruner": pruner[0],
                "density": DENSITY,
                "members": members,
                "digest": f"{p:02d}" * 32,
                "layers": kept,
            }
            for p, pruner in enumerate(pruners)
        ],
        "provenance": _provenance(hostile),
    }


def _network(layers: list[dict[str, Any]]) -> dict[str, Any]:
    common: dict[str, Any] = {"name": "conv4", "width": 0.5, "activation": "relu", "batchnorm": "frozen"}
    return {**common, "mask_only": [], "mask_except": [], "layers": layers, "unmasked": [], "buffers": []}


def _provenance(hostile: bool) -> dict[str, Any]:
    return {
        "created": "2025-03-03T01:02:03+00:00",
        "updated": "2025-03-03T04:05:06+00:00",
        "command": f"masklab train --name {HOSTILE}" if hostile else "masklab train study.toml",
        "versions": {"masklab": "0.1.0", "torch": "2.15.0", "numpy": "2.4.0"},
        "hardware": {
            "cpu": "Example 9000",
            "cores": 16,
            "memory_gib": 128.0,
            "gpu": None,
            "platform": "Linux-x86_64",
        },
        "git": {"commit": "0123abcd" * 5, "dirty": True},
        "wall_s": {"train": 5400.0, "analyze": 33.0},
    }


def population(name: str, pruner: Pruner, members: int, draws: int) -> dict[str, Any]:
    kind, refresh, _, _ = pruner
    events = 5 if refresh else 0
    size = sum(LAYERS.values())
    return {
        "name": name,
        "pruner": kind,
        "gate": None if kind == "random" else kind.split("+")[0],
        "refresh": refresh,
        "control": "random" if kind == "random" else None,
        "density": DENSITY,
        "members": members,
        "stored": members,
        "failed": 0,
        "blocks": min(draws, members),
        "size": size,
        "kept": sum(int(n * DENSITY + 0.5) for n in LAYERS.values()),
        "trained": kind != "random",
        "compared": True,
        "options": {"rate": 0.2, "period": 3, "period_steps": None} if refresh else {},
        "overrides": {"weight_init": "signed-constant"} if kind == "edge-popup" else {},
        "refresh_events": {"min": events, "max": events},
    }
