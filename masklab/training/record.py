"""The resolved study as stored in `study.json`: digests, growth, provenance."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from masklab import bits, networks, weights
from masklab import data as datasets
from masklab.archive import study_file
from masklab.errors import ConfigError
from masklab.study import Population, Study
from masklab.training.counts import default_ramp, steps_per_epoch, validation_count

SCHEMA = 1
_LIBRARIES = (
    "masklab",
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "umap-learn",
    "numkong",
    "zstandard",
)


def resolve(study: Study, data: datasets.Data) -> dict[str, Any]:
    """The study with everything filled in, as it is stored (provenance apart).

    Raises:
        ConfigError: The network does not fit the images, or a pruner does not fit its layers.
    """
    described = networks.describe(study.network.settings, data.input_shape, len(data.classes))
    held_out = validation_count(len(data.train_labels), study.data.validation_fraction)
    _check_counts(study, len(data.train_labels), held_out, bool(described.buffers))
    training = study.training.model_dump()
    if training["ramp_epochs"] is None:  # a default, but it shapes masks: digests must see it
        training["ramp_epochs"] = default_ramp(study.training.epochs)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "name": study.study.name,
        "keep_scores": study.study.keep_scores,
        "snapshots": study.study.snapshots,
        "seeds": study.seeds.model_dump(),
        "data": {
            **study.data.model_dump(),
            "digest": datasets.content_digest(data),
            "train": len(data.train_labels) - held_out,
            "validation": held_out,
            "test": len(data.test_labels),
            "classes": list(data.classes),
            "input_shape": list(data.input_shape),
        },
        "network": {
            **study.network.model_dump(),
            "layers": [{"name": o.name, "shape": list(o.shape), "size": o.size} for o in described.layers],
            "unmasked": [
                {"name": o.name, "shape": list(o.shape), "rule": o.rule} for o in described.unmasked
            ],
            "buffers": [{"name": name, "shape": list(shape)} for name, shape in described.buffers],
        },
        "network_source": networks.source_digest(study.network.settings),
        "training": training,
        "analysis": study.analysis.model_dump(),
    }
    record["recipe_digest"] = study_file.recipe_digest(record)
    warnings = [{"code": "network-note", "text": note, "where": "network"} for note in described.notes]
    record["populations"] = _populations(study, record, described.layers, warnings)
    record["warnings"] = warnings
    return record


def _check_counts(study: Study, images: int, held_out: int, normalised: bool) -> None:
    """Counts of images that validation and batch normalisation need."""
    fraction, size = study.data.validation_fraction, study.training.batch_size
    if fraction > 0 and held_out == 0:
        raise ConfigError(
            f"data.validation_fraction {fraction} of {images} images is none; give 0 or a larger fraction"
        )
    if held_out >= images:
        raise ConfigError(f"data.validation_fraction {fraction} leaves no image to train on")
    if normalised and (size == 1 or (images - held_out) % size == 1):
        raise ConfigError(
            f"training.batch_size {size} leaves a batch of one image, from which batch normalisation cannot "
            "take statistics; give another"
        )


def _populations(
    study: Study, record: dict[str, Any], layers: list[networks.LayerShape], warnings: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    steps = study.training.epochs * steps_per_epoch(record["data"]["train"], study.training.batch_size)
    found: dict[str, dict[str, Any]] = {}
    for population in sorted(study.population, key=lambda p: "of" in p.options):  # sources first
        resolved = _population(study, population, layers, steps, warnings)
        of = found[population.options["of"]]["digest"] if resolved["options"].get("of") else None
        shaping = {key: resolved[key] for key in _SHAPING}
        whole = {"recipe": record["recipe_digest"], **shaping, **({"source": of} if of else {})}
        found[population.name] = {**resolved, "digest": study_file.digest(whole)}
    return [found[population.name] for population in study.population]


_SHAPING = ("pruner", "gate", "refresh", "control", "density", "options", "overrides")


def _population(
    study: Study,
    population: Population,
    layers: list[networks.LayerShape],
    steps: int,
    warnings: list[dict[str, Any]],
) -> dict[str, Any]:
    pruner, common, recipe = study.pruner_of(population), study.training, study.training_of(population)
    source = study.source_of(population)
    overrides = (source or population).overrides
    scored = study.pruner_of(source).trains_scores if source else pruner.trains_scores
    fixed = not (scored and recipe.selection == "global")  # global: no layer has a count of its own
    counts = [
        (o.name, o.size, bits.kept_count(o.size, population.density) if fixed else None) for o in layers
    ]
    try:
        notes = pruner.check(counts, steps)
        factor = 1.0 if pruner.trains_weights else weights.fan_factor(recipe.fan_scale, population.density)
    except ConfigError as error:
        raise ConfigError(f"population {population.name!r}: {error}") from error
    where = population.name
    warnings += [{"code": "refresh-note", "text": note, "where": where} for note in notes]
    caution = getattr(pruner.gate, "caution", None)
    if caution and (text := caution(recipe.weight_init)):
        warnings.append({"code": "gate-note", "text": text, "where": where})
    if recipe.selection == "global" and not pruner.trains_scores and pruner.source is None:
        text = (
            "keeps the same share of every layer; under global selection only `shuffled` has the per-layer "
            "counts of trained members"
        )
        warnings.append({"code": "control-note", "text": text, "where": where})
    if recipe.fan_scale == "reference" and not pruner.trains_weights:
        text = (
            f"fan_scale = reference repeats the published code's slip (the fan times 1 − density = "
            f"{factor:.3g}, the fraction removed): for replication only"
        )
        warnings.append({"code": "reference-fan-scale", "text": text, "where": where})
    return {
        "name": population.name,
        "pruner": pruner.name,
        "gate": pruner.gate_name,
        "refresh": pruner.refresh_name,
        "control": pruner.control_name,
        "density": population.density,
        "options": pruner.options.model_dump(),
        "overrides": {key: value for key, value in overrides.items() if value != getattr(common, key)},
        "trained": pruner.trained,
        "compared": pruner.compared,
        "members": population.members,
        "layers": [{"name": name, "size": size, "kept": kept} for name, size, kept in counts],
    }


def grow(stored: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The union of what a directory holds and what a study asks: populations and members only ever grow.

    Raises:
        ConfigError: Anything that a digest covers differs; the message names the fields.
    """
    try:
        differing = _differences(study_file.recipe(stored), study_file.recipe(new))
        if differing:
            raise ConfigError(
                f"this directory holds another study: {'; '.join(differing)}; give another --out"
            )
        if stored.get("network_source") != new["network_source"]:
            raise ConfigError(
                f"the file of network {new['network']['name']!r} is not the one that the members here "
                "were trained with; put it back, or give another --out"
            )
        merged = {**new, "populations": [], "provenance": stored["provenance"]}
        held = {population["name"]: population for population in stored["populations"]}
        asked = {population["name"]: population for population in new["populations"]}
        for name in [*held, *(name for name in asked if name not in held)]:
            population = asked.get(name, held.get(name))
            if name in asked and name in held:
                population = _grown(held[name], asked[name])
            merged["populations"].append(population)
        kept = [w for w in stored["warnings"] if w["where"] not in asked and w not in new["warnings"]]
        merged["warnings"] = kept + new["warnings"]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"study.json of this directory is incomplete ({type(error).__name__}: {error})"
        ) from error
    return merged


def _grown(held: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    fields = ("pruner", "gate", "density", "options", "overrides")
    differing = _differences({f: held[f] for f in fields}, {f: asked[f] for f in fields})
    if differing or held["digest"] != asked["digest"]:
        raise ConfigError(
            f"population {held['name']!r} is stored with another recipe: "
            f"{'; '.join(differing) or 'digest differs'}; give this one another `name`, or another --out"
        )
    return {**asked, "members": max(held["members"], asked["members"])}


def _differences(stored: Any, new: Any, place: str = "") -> list[str]:
    """Dotted fields that differ, with both values."""
    if isinstance(stored, dict) and isinstance(new, dict):
        found = []
        for key in dict.fromkeys([*stored, *new]):
            missing = "absent"
            found += _differences(
                stored.get(key, missing), new.get(key, missing), f"{place}.{key}".lstrip(".")
            )
        return found
    if stored == new:
        return []
    values = [text if len(text := str(value)) <= 40 else text[:37] + "..." for value in (stored, new)]
    return [f"{place} is {values[0]} there, {values[1]} here"]


def provenance(command: list[str], stored: dict[str, Any] | None = None) -> dict[str, Any]:
    """Command, versions, hardware, git state and dates of a run that starts now.

    Args:
        command: The command line.
        stored: The study as it was stored before; its own provenance goes to `earlier`, a list of runs.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    before = dict(stored["provenance"]) if stored else {}
    earlier, wall = before.pop("earlier", []), before.pop("wall_s", {})
    return {
        "created": before.get("created", now),
        "updated": now,
        "command": shlex.join(command),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _LIBRARIES},
        },
        "hardware": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gib": _memory_gib(),
            "gpu": _gpu(),
            "platform": platform.platform(),
        },
        "git": _git(),
        "wall_s": wall,
        "earlier": [*earlier, before] if before else [],
    }


def _gpu() -> str | None:
    """Name of the first NVIDIA GPU as its driver gives it, without importing torch."""
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        named = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "Model" in line
        ]
        if named:
            return named[0]
    return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    if sys.platform == "win32":
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _git() -> dict[str, Any] | None:
    """Commit and dirty flag of the working directory's repository, or None where there is none."""

    def ask(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
