"""Every pruner in the folders keeps the promises that the rest of masklab relies on."""

from typing import Any

import numpy as np
import pytest
import torch

from masklab import bits, pruners, weights
from masklab.archive import Recipe, member
from masklab.errors import ConfigError
from masklab.networks import LayerShape
from masklab.training import selection, state
from tests.training import cohorts

SOURCED = [name for name in pruners.names() if "of" in pruners.options_type(name).model_fields]
NAMES = [name for name in pruners.names() if name not in SOURCED]
TRAINED = [name for name in NAMES if pruners.resolve(name, {}, 20).trained]
SCORED = [name for name in TRAINED if pruners.parse(name)[2] is None]
REFRESHED = [name for name in NAMES if pruners.parse(name)[1] is not None]


def kept_of(name: str, size: int, density: float) -> int:
    control = pruners.resolve(name, {}, 20).control
    return bits.kept_count(size, getattr(control, "DENSITY", density))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("density", [0.05, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_effective_weight_is_zero_exactly_off_the_mask(name: str, density: float, dtype: torch.dtype) -> None:
    cohort = cohorts.make(name, density)
    tensors = cohort.tensors(dtype).trained
    for layer, mask in zip(cohort.layers, cohort.masks(), strict=True):
        weight = tensors[f"{layer.layer.name}.weight"]
        assert weight.dtype == dtype
        assert torch.equal(weight.flatten(1) != 0, mask)
        assert mask.sum(1).tolist() == [kept_of(name, layer.layer.size, density)] * 3


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("rank", ["abs", "signed"])
def test_kept_count_is_exact_when_every_score_is_equal(name: str, rank: selection.Rank) -> None:
    cohort = cohorts.make(name, 0.3, rank=rank)
    for layer in cohort.layers:
        assert layer.scores is not None
        layer.scores.fill_(1.0)
    for layer, mask in zip(cohort.layers, cohort.masks(), strict=True):
        kept = bits.kept_count(layer.layer.size, 0.3)
        expected = torch.arange(layer.layer.size) < kept  # on ties the lower index wins
        assert torch.equal(mask, expected.expand(3, -1))


OPTIONS: list[dict[str, Any]] = [
    {},
    {"rank": "signed"},
    {"selection": "global", "ramp_epochs": 0},
    {"optimizer": "adam", "learning_rate": 0.02, "weight_decay": 0.0},
    {"label_smoothing": 0.1},
    {"fan_scale": "none"},
    {"fan_scale": "reference"},
    *({"weight_init": init} for init in weights.WEIGHT_INITS),
    *({"score_init": init} for init in weights.SCORE_INITS),
]


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("recipe", OPTIONS, ids=str)
def test_ten_steps_lower_the_loss(name: str, recipe: dict[str, Any]) -> None:
    cohort = cohorts.make(name, **recipe)
    rate = 0.02 if recipe.get("optimizer") == "adam" or cohort.pruner.trains_weights else 0.1
    losses = cohorts.steps(cohort, 10, rate)
    assert losses[-1] < 0.96 * losses[0]


@pytest.mark.parametrize("name", TRAINED)
def test_bf16_steps_lower_the_loss_and_leave_scores_in_fp32(name: str) -> None:
    cohort = cohorts.make(name)
    losses = cohorts.steps(cohort, 10, 0.02 if cohort.pruner.trains_weights else 0.1, torch.bfloat16)
    assert losses[-1] < 0.9 * losses[0]
    for layer in cohort.layers:
        assert layer.weight.dtype == layer.memory[0].dtype == torch.float32
        assert layer.scores is None or layer.scores.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(name: str) -> None:
    def digest(seed: int) -> bytes:
        cohort = cohorts.make(name, seed=seed)
        if cohort.pruner.trained:
            cohorts.steps(cohort, 2)
        cohort.refresh(1)
        masks = b"".join(mask.numpy().tobytes() for mask in cohort.masks())
        return masks + b"".join(layer.weight.numpy().tobytes() for layer in cohort.layers)

    assert digest(0) == digest(0)
    assert digest(0) != digest(1)


@pytest.mark.parametrize("name", SCORED)
def test_training_scores_leaves_weights_alone(name: str) -> None:
    cohort = cohorts.make(name)
    before = [layer.weight.clone() for layer in cohort.layers]
    cohorts.steps(cohort, 3)
    assert all(torch.equal(layer.weight, b) for layer, b in zip(cohort.layers, before, strict=True))


@pytest.mark.parametrize("name", [name for name in TRAINED if name not in SCORED])
def test_controls_that_train_weights_have_no_scores_and_ignore_the_fan_scale(name: str) -> None:
    cohort, other = cohorts.make(name, 0.1), cohorts.make(name, 0.1, fan_scale="none")
    assert all(layer.scores is None for layer in cohort.layers)
    assert torch.equal(cohort.layers[0].weight, other.layers[0].weight)
    before = cohort.layers[0].weight.clone()
    cohorts.steps(cohort, 1, 0.01)
    assert not torch.equal(cohort.layers[0].weight, before)


@pytest.mark.parametrize("name", REFRESHED)
@pytest.mark.parametrize("selected", ["layer", "global"])
def test_refresh_leaves_kept_weights_alone_and_changes_pruned_ones(name: str, selected: str) -> None:
    cohort = cohorts.make(name, selection=selected)
    cohorts.steps(cohort, 3)
    before = [
        (layer.weight.clone(), mask, layer.scores.clone())
        for layer, mask in zip(cohort.layers, cohort.masks(), strict=True)
        if layer.scores is not None
    ]
    assert len(before) == len(cohort.layers)
    cohort.refresh(1)
    changed = 0
    for layer, (weight, mask, scores) in zip(cohort.layers, before, strict=True):
        assert torch.equal(layer.weight[mask], weight[mask])
        changed += int((layer.weight[~mask] != weight[~mask]).sum())
        assert layer.scores is not None
        assert torch.equal(layer.scores, scores)
        if selected == "layer":
            assert not torch.equal(layer.weight[~mask], weight[~mask])
    assert changed > 0


@pytest.mark.parametrize("name", REFRESHED)
@pytest.mark.parametrize("selected", ["layer", "global"])
def test_origins_lead_back_to_every_base_weight(name: str, selected: str) -> None:
    cohort = cohorts.make(name, selection=selected)
    for event in (1, 2, 3):
        cohorts.steps(cohort, 2)
        cohort.refresh(event)
    refresh = cohort.pruner.refresh
    assert refresh is not None
    for position, levels in enumerate(cohorts.LEVELS):
        recipe = Recipe(0, levels["weights"], levels["refresh"], "kaiming-normal", 0.5)
        for layer in cohort.layers:
            assert layer.origin is not None
            described = member.Layer(layer.layer.name, layer.layer.shape, 1, origin=refresh.ORIGIN)
            rebuilt = member.base_weights(recipe, described, layer.origin[position].numpy())
            assert np.array_equal(rebuilt, layer.weight[position].numpy())


@pytest.mark.parametrize("name", REFRESHED)
def test_a_study_in_which_no_event_fires_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no .* event would fire in 2 epochs"):
        pruners.resolve(name, {}, epochs=2)
    assert pruners.resolve(name, {"period": 3}, epochs=250).event_epochs(250)[-1] == 246
    assert len(pruners.resolve(name, {"period": 3}, epochs=250).event_epochs(250)) == 82
    assert len(pruners.resolve(name, {}, epochs=250).event_epochs(250)) == 24
    assert len(pruners.resolve(name, {"period": 1}, epochs=250).event_epochs(250)) == 248


@pytest.mark.parametrize("name", REFRESHED)
def test_periods_in_steps(name: str) -> None:
    pruner = pruners.resolve(name, {"period_steps": 300}, epochs=2)
    assert (pruner.event_unit, pruner.event_epochs(2)) == ("step", [])
    steps = 352 * 100  # 45,000 images in batches of 128, 100 epochs
    fired = [step for step in range(steps) if pruner.fires_before(step)]
    assert (fired[0], len(fired)) == (299, 117)
    assert pruner.check([("fc", 100, 50)], 300) == []
    with pytest.raises(ConfigError, match=r"no .* event would fire in 299 steps"):
        pruner.check([("fc", 100, 50)], 299)
    with pytest.raises(ConfigError, match=r"give period .* or period_steps, not both"):
        pruners.resolve(name, {"period": 1, "period_steps": 300}, epochs=2)
    by_epochs = pruners.resolve(name, {"period": 3}, epochs=250)
    assert by_epochs.event_unit == "epoch"
    assert not any(by_epochs.fires_before(step) for step in range(1000))


@pytest.mark.parametrize("name", pruners.names())
def test_every_part_describes_itself(name: str) -> None:
    for part in pruners.describe(name):
        assert part.rule.endswith(".")
        assert part.source
        assert all(part.options.values())


@pytest.mark.parametrize("name", SOURCED)
def test_a_control_made_from_others_says_so(name: str) -> None:
    pruner = pruners.resolve(name, {"of": "x"}, 20, source_gate="biprop")
    assert (pruner.source, pruner.gate_name, pruner.trained) == ("x", "biprop", False)


@pytest.mark.parametrize(
    ("size", "kept", "rate", "message"),
    [
        (100, 90, 0.2, "only 10 of 100 are pruned"),
        (10, 1, 0.6, "more than half"),
        (100, 80, 0.2, None),
        (3, 1, 0.51, None),
        (100, None, 0.4, None),
        (100, None, 0.6, "more than half"),
    ],
)
def test_recycle_is_refused_by_integer_counts(
    size: int, kept: int | None, rate: float, message: str | None
) -> None:
    pruner = pruners.resolve("edge-popup+recycle", {"rate": rate}, 20)
    if message is None:
        assert pruner.check([("fc", size, kept)], 100) == []
    else:
        with pytest.raises(ConfigError, match=message):
            pruner.check([("fc", size, kept)], 100)


def test_recycle_above_the_density_is_noted() -> None:
    layers = [("fc", 100, 10), ("out", 100, 50)]
    notes = pruners.resolve("biprop+recycle", {"rate": 0.2}, 20).check(layers, 100)
    assert len(notes) == 1
    assert "fc" in notes[0]
    assert "out" not in notes[0]
    lowest = pruners.resolve("biprop+recycle", {"rate": 0.2, "source": "next-lowest"}, 20)
    assert lowest.check(layers, 100) == []


def test_a_layer_that_keeps_one_weight_trains() -> None:
    cohort = cohorts.make("biprop", 0.001, layers=[LayerShape("fc", (4, 8))])
    ((layer, weight),) = cohorts.effective(cohort)
    assert (weight != 0).flatten(1).sum(1).tolist() == [1, 1, 1]
    assert layer.kept == 1


@pytest.mark.parametrize("gate", pruners.modules("gate"))
def test_global_selection_keeps_the_whole_count_and_names_an_emptied_layer(gate: str) -> None:
    cohort = cohorts.make(gate, 0.2, selection="global")
    total = sum(layer.layer.size for layer in cohort.layers)
    masks = cohort.masks()
    kept = torch.stack([mask.sum(1) for mask in masks])
    assert kept.sum(0).tolist() == [bits.kept_count(total, 0.2)] * 3
    assert len(set(kept[1].tolist())) > 1  # members differ in where they keep
    assert cohort.emptied.tolist() == [state.NOT_EMPTY] * 3
    scores = cohort.layers[1].scores
    assert scores is not None
    scores[2] = 0.0
    cohort.masks()
    assert cohort.emptied.tolist() == [state.NOT_EMPTY, state.NOT_EMPTY, 1]
