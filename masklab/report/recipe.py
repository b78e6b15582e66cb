"""Network, recipe and populations in words: what was done, where it is not the plain case."""

from collections.abc import Iterable, Mapping
from typing import Any

from masklab.report import load, models, numbers, sources

REFERENCE_FAN = "reference-fan-scale"
"""Code of the warnings that `fan_scale = reference` gives."""

FAN_NOTE = (
    "fan_scale = reference repeats the reference code's factor 1 − density (fan times the fraction removed), "
    "for replication only"
)

RULES = {
    "zero": "held at 0",
    "one": "held at 1",
    "drawn": "frozen random weights, every one of them used",
    "constructed": "frozen as the network's constructor initialised it",
    "learned-zero": "learned with the masks, from 0",
    "learned-one": "learned with the masks, from 1",
}
"""What a parameter is that is not masked."""

_PERIODS = {"period": "epoch", "period_steps": "step"}
_NAMED = 6  # unmasked layers in a sentence; all of them stand in the list

_WORDS: dict[tuple[str, Any], str] = {
    ("optimizer", "sgd"): "optimiser SGD",
    ("optimizer", "adam"): "optimiser Adam",
    ("schedule", "cosine"): "schedule cosine, set once per epoch",
    ("schedule", "cosine-step"): "schedule cosine, set at every step",
    ("schedule", "constant"): "schedule constant",
    ("augment", "none"): "",
    ("augment", "flip"): "augment flip (half of the images are mirrored left to right)",
    ("augment", "crop-flip"): "augment crop-flip (images are padded by 4 zero pixels, cut to their size at a "
    "random place, and half of them mirrored left to right)",
    ("augment", "resized-crop-flip"): "augment resized-crop-flip (a random window of 8 to 100 % of the area "
    "and of sides 3 : 4 to 4 : 3 is stretched to the image's size, and half of them mirrored left to right)",
    ("augment", "padded-resized-crop-flip"): "augment padded-resized-crop-flip (images are padded by 4 zero "
    "pixels, a random window of 8 to 100 % of the area and of sides 3 : 4 to 4 : 3 is stretched to the "
    "image's size, and half of them mirrored left to right)",
    ("weight_init", "kaiming-normal"): "weight init kaiming-normal, N(0, 2 ÷ fan)",
    ("weight_init", "kaiming-uniform"): "weight init kaiming-uniform, U(±√(6 ÷ fan))",
    ("weight_init", "signed-constant"): "weight init signed-constant, √(2 ÷ fan) with random signs",
    ("weight_init", "uniform"): "weight init uniform, U(±1)",
    ("score_init", "uniform"): "score init uniform, U(±1 ÷ √fan)",
    ("score_init", "kaiming-uniform"): "score init kaiming-uniform, U(±√(6 ÷ fan))",
    ("rank", "abs"): "weights ranked by |score|",
    ("rank", "signed"): "weights ranked by score, sign included",
    ("selection", "layer"): "",
    ("selection", "global"): "selection global (weights are ranked over all layers together, so the density "
    "of one layer may differ from that of the whole mask)",
    ("fan_scale", "none"): "fan scale none",
    ("fan_scale", "kept"): "fan scale kept (the fan of base weights times the density)",
    ("fan_scale", "reference"): "fan scale reference (the fan times 1 − density, the fraction removed)",
}

_SOURCES: dict[tuple[str, Any], str] = {
    ("optimizer", "adam"): "kingma2015adam",
    ("schedule", "cosine"): "loshchilov2017sgdr",
    ("schedule", "cosine-step"): "loshchilov2017sgdr",
    ("augment", "resized-crop-flip"): "szegedy2015deeper",
    ("augment", "padded-resized-crop-flip"): "szegedy2015deeper",
    ("weight_init", "kaiming-normal"): "he2015delving",
    ("weight_init", "kaiming-uniform"): "he2015delving",
    ("weight_init", "signed-constant"): "ramanujan2020hidden",
    ("rank", "signed"): "chijiwa2021randomization",
}


def network(study: models.Study) -> str:
    """The network's name, with width and activation where they have a meaning."""
    described = study.network
    if described.name is None:
        return "unknown"
    external = ":" in described.name  # neither need have an effect there; other values than these do
    parts = [described.name]
    if described.width is not None and not (external and described.width == 1.0):
        parts.append(f"at width {described.width:g}")
    text = " ".join(parts)
    if described.activation and not (external and described.activation == "relu"):
        text += f", {described.activation}"
    return text


def not_masked(study: models.Study) -> list[str]:
    """Names of layers and parameters that hold random or constructed values which no mask touches."""
    return [*_with_rule(study, "drawn"), *_with_rule(study, "constructed")]


def _with_rule(study: models.Study, rule: str) -> list[str]:
    names = [parameter.name for parameter in study.network.unmasked if parameter.rule == rule]
    return [name.removesuffix(".weight") for name in names] if rule == "drawn" else names


def network_notes(study: models.Study, *, reestimated: bool = False) -> list[str]:
    """Sentences on batch norm, on what is not masked, and on an activation that is none of the usual.

    Args:
        study: What was planned.
        reestimated: Whether the landscape re-estimated running statistics.
    """
    described = study.network
    found = []
    if described.activation == "binary":
        found.append(
            "Activations are binary: +1 where the input is at least 0, −1 elsewhere; backwards they have the "
            f"piecewise linear gradient of Bi-Real Net {sources.cite('liu2018bireal')}."
        )
    if described.buffers:
        found.append(
            "Batch norm normalises by the batch in training, and in evaluation by running statistics that "
            "each member has of its own"
            + (" (the landscape re-estimates them)" if reestimated else "")
            + "; scale and "
            + (
                "shift are learned with the masks."
                if described.batchnorm == "learned"
                else "shift are fixed at 1 and 0."
            )
        )
    found += _chosen(described)
    layers = [
        f"{listed(_with_rule(study, rule))} ({RULES[rule]})"
        for rule in ("drawn", "constructed")
        if _with_rule(study, rule)
    ]
    if layers:
        found.append(f"Not masked: {'; '.join(layers)}.")
    counts = [
        f"{numbers.count(len(names), 'parameter')} {RULES[rule]}"
        for rule in ("zero", "one", "learned-zero", "learned-one")
        if (names := _with_rule(study, rule))
    ]
    if counts:
        found.append(f"Biases and norms: {'; '.join(counts)}.")
    return found


def _chosen(described: models.Network) -> list[str]:
    """Which layers the study's patterns select."""
    only, rest = numbers.plain(described.mask_only), numbers.plain(described.mask_except)
    wanted = f"match {only}" if described.mask_only else ""
    refused = f"do not match {rest}" if described.mask_except else ""
    if not wanted and not refused:
        return []
    return [f"The study masks only layers that {' and '.join(filter(None, (wanted, refused)))}."]


def listed(names: list[str]) -> str:
    """The first few names, and how many more.

    Examples:
        >>> listed(["a", "b"]), listed(list("abcdefgh"))
        ('a, b', 'a, b, c, d, e, f and 2 more')
    """
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


def training(settings: Mapping[str, Any]) -> str:
    """The recipe, setting by setting, with sources; what is as plain as can be is left out.

    Examples:
        >>> training({"epochs": 3, "optimizer": "sgd", "warmup_epochs": 0, "selection": "layer"})
        'epochs 3; optimiser SGD'
        >>> training({"optimizer": "adam", "warmup_epochs": 1, "label_smoothing": 0.1})
        'optimiser Adam [kingma2015adam]; linear warm-up over 1 epoch; label smoothing 0.1'
        >>> training({"brand_new": [1, 2], "rank": {"of": None}})
        'brand new 1, 2; rank of = –'
    """
    adam = settings.get("optimizer") == "adam"
    unused = set() if settings.get("selection") == "global" else {"ramp_epochs"}
    parts = (_setting(key, value, adam=adam) for key, value in settings.items() if key not in unused)
    return "; ".join(part for part in parts if part)


def overrides(population: models.Population) -> str:
    """What a population has otherwise than the recipe, setting by setting."""
    return "; ".join(
        _setting(key, value, adam=False) or f"{key.replace('_', ' ')} {numbers.plain(value)}"
        for key, value in population.overrides.items()
    )


def _setting(key: str, value: Any, *, adam: bool) -> str:
    if key in {"warmup_epochs", "label_smoothing", "ramp_epochs"} and not value:
        return ""
    if key == "warmup_epochs":
        return f"linear warm-up over {_epochs(value)}"
    if key == "ramp_epochs":
        cubic = f"along a cubic {sources.cite('zhu2017prune')}"
        return f"densities below one half reached from there over {_epochs(value)}, {cubic}"
    if key == "momentum" and adam:
        return f"first decay rate {numbers.plain(value)}"
    if not isinstance(value, str):
        return f"{key.replace('_', ' ')} {numbers.plain(value)}"
    words = _WORDS.get((key, value), f"{key.replace('_', ' ')} {value}")
    return f"{words} {sources.cite(_SOURCES[key, value])}" if (key, value) in _SOURCES else words


def _epochs(value: Any) -> str:
    return numbers.count(value, "epoch") if isinstance(value, int) else f"{numbers.plain(value)} epochs"


def options(population: models.Population) -> str:
    """A population's own options, periods with their unit; what is not set is left out."""

    def entries() -> Iterable[str]:
        for key, value in population.options.items():
            unit = _PERIODS.get(key) if population.refresh else None
            if value is not None and unit:
                yield f"period = {numbers.count(value, unit)}"
            elif value is not None:
                yield f"{key} = {numbers.plain(value)}"

    return ", ".join(entries())


def reference_fan(analysis: load.Analysis) -> list[str]:
    """Populations whose base weights are drawn under `fan_scale = reference`.

    Those that the warnings name, as controls that train weights are drawn without it; without such warnings,
    all whose setting it is.
    """
    where = [warning.where for warning in analysis.results.warnings if warning.code == REFERENCE_FAN]
    if warned := [name for name in analysis.names if name in where]:
        return warned
    common = analysis.study.training.get("fan_scale")
    return [
        population.name
        for population in analysis.results.populations
        if population.overrides.get("fan_scale", common) == "reference"
    ]


def mark(population: models.Population) -> str:
    """What sets a population apart from trained masks, in a few words; empty for those.

    Examples:
        >>> row = dict.fromkeys(models.Population.model_fields, 0)
        >>> row |= {"name": "a", "pruner": "a", "options": {}, "overrides": {}, "refresh_events": None}
        >>> row |= {"gate": None, "refresh": None, "control": None, "trained": True, "compared": False}
        >>> row |= {"imported": None}
        >>> mark(models.Population(**row))
        'accuracy reference'
    """
    if population.imported:
        return f"imported ({population.imported.format})"
    if not population.compared:
        return "accuracy reference"
    if not population.trained:
        return "untrained control" if population.control else "untrained"
    return ""


def near_chance(analysis: load.Analysis) -> str:
    """What to expect of untrained populations, and what chance is; empty without any."""
    names = [
        population.name
        for population in analysis.results.populations
        if not population.trained and not population.imported
    ]
    classes = len(analysis.study.data.classes)
    if not names or not classes:
        return ""
    return (
        f"Untrained controls ({', '.join(names)}) score near chance by nature, as their masks lie over "
        f"frozen random weights: chance is 1/{classes} = {100.0 / classes:.3g} %."
    )
