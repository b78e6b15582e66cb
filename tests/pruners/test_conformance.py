"""Every pruner in the folders keeps the promises that the rest of masklab relies on."""

from typing import Any

import numpy as np
import pytest
import torch

from masklab import bits, networks, pruners, study
from masklab.errors import ConfigError
from masklab.networks import LayerShape
from masklab.training import engines, state

LAYERS = networks.layers("conv2", (1, 8, 8), 4, 0.1)
LEVELS = [study.Seeds().levels(index) for index in range(3)]
TRAINED = [name for name in pruners.names() if pruners.parse(name)[2] is None]
REFRESHED = [name for name in pruners.names() if pruners.parse(name)[1] is not None]


def make(name: str, density: float = 0.5, seed: int = 0, **training: Any) -> state.State:
    recipe = study.Training(**training)
    pruner = pruners.resolve(name, {}, recipe.epochs)
    return state.initial(seed, LEVELS, recipe, pruner, density, LAYERS, "cpu")


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (3, 32), generator=generator)
    images = torch.randn(3, 32, 1, 8, 8, generator=generator)
    images += torch.eye(8)[labels * 2][..., None, None, :]  # something to learn
    return images, labels


def steps(cohort: state.State, number: int) -> list[float]:
    network = networks.build("conv2", (1, 8, 8), 4, 0.1, "relu")
    images, labels = batch()
    losses = []
    for _ in range(number):
        effective = {layer.layer.name: weight for layer, weight in cohort.effective()}
        loss, gradients = engines.gradients("vmap", network, effective, images, labels)
        cohort.step(gradients, torch.ones(3, 1, dtype=torch.bool), 0.1)
        losses.append(float(loss.sum()))
    return losses


@pytest.mark.parametrize("name", pruners.names())
@pytest.mark.parametrize("density", [0.05, 0.5, 0.9, 1.0])
def test_effective_weight_is_zero_exactly_off_the_mask(name: str, density: float) -> None:
    if pruners.parse(name)[1] == "recycle" and density > 0.8:
        pytest.skip("recycle refuses to overwrite kept weights")
    cohort = make(name, density)
    for layer, weight in cohort.effective():
        mask = layer.shaped(layer.mask("abs"))
        assert torch.equal(weight != 0, mask)
        assert mask.flatten(1).sum(1).tolist() == [bits.kept_count(layer.layer.size, density)] * 3


@pytest.mark.parametrize("name", pruners.names())
def test_kept_count_is_exact_when_every_score_is_equal(name: str) -> None:
    cohort = make(name, 0.3)
    for layer in cohort.layers:
        layer.scores.fill_(1.0)
        kept = bits.kept_count(layer.layer.size, 0.3)
        expected = torch.arange(layer.layer.size) < kept  # on ties the lower index wins
        assert torch.equal(layer.mask("abs"), expected.expand(3, -1))


@pytest.mark.parametrize("name", TRAINED)
def test_ten_steps_lower_the_loss(name: str) -> None:
    losses = steps(make(name), 10)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", pruners.names())
def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(name: str) -> None:
    def digest(seed: int) -> bytes:
        cohort = make(name, seed=seed)
        steps(cohort, 2)
        cohort.refresh(1)
        return b"".join(
            layer.weight.numpy().tobytes() + layer.mask("abs").numpy().tobytes() for layer in cohort.layers
        )

    assert digest(0) == digest(0)
    assert digest(0) != digest(1)


@pytest.mark.parametrize("name", REFRESHED)
def test_refresh_leaves_kept_weights_alone_and_changes_pruned_ones(name: str) -> None:
    cohort = make(name)
    steps(cohort, 3)
    before = [(layer.weight.clone(), layer.mask("abs"), layer.scores.clone()) for layer in cohort.layers]
    cohort.refresh(1)
    for layer, (weight, mask, scores) in zip(cohort.layers, before, strict=True):
        assert torch.equal(layer.weight[mask], weight[mask])
        assert not torch.equal(layer.weight[~mask], weight[~mask])
        assert torch.equal(layer.scores, scores)


@pytest.mark.parametrize("name", REFRESHED)
def test_origins_lead_back_to_every_base_weight(name: str) -> None:
    from masklab.archive import Recipe, member

    cohort = make(name)
    for event in (1, 2, 3):
        steps(cohort, 2)
        cohort.refresh(event)
    refresh = cohort.pruner.refresh
    assert refresh is not None
    for position, levels in enumerate(LEVELS):
        recipe = Recipe(0, levels["weights"], levels["refresh"], "kaiming-normal", 0.5)
        for layer in cohort.layers:
            assert layer.origin is not None
            described = member.Layer(layer.layer.name, layer.layer.shape, layer.kept, origin=refresh.ORIGIN)
            rebuilt = member.base_weights(recipe, described, layer.origin[position].numpy())
            assert np.array_equal(rebuilt, layer.weight[position].numpy())


@pytest.mark.parametrize("name", REFRESHED)
def test_a_study_in_which_no_event_fires_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no .* event would fire in 2 epochs"):
        pruners.resolve(name, {}, epochs=2)
    assert pruners.resolve(name, {"period": 3}, epochs=250).events(250)[-1] == 246
    assert len(pruners.resolve(name, {"period": 3}, epochs=250).events(250)) == 82
    assert len(pruners.resolve(name, {}, epochs=250).events(250)) == 24
    assert len(pruners.resolve(name, {"period": 1}, epochs=250).events(250)) == 248


@pytest.mark.parametrize("name", pruners.names())
def test_every_part_describes_itself(name: str) -> None:
    for part in pruners.describe(name):
        assert part.rule.endswith(".")
        assert part.source
        assert all(part.options.values())


@pytest.mark.parametrize(
    ("size", "kept", "rate", "message"),
    [
        (100, 90, 0.2, "only 10 of 100 are pruned"),
        (10, 1, 0.6, "more than half"),
        (100, 80, 0.2, None),
        (3, 1, 0.51, None),
    ],
)
def test_recycle_is_refused_by_integer_counts(size: int, kept: int, rate: float, message: str | None) -> None:
    pruner = pruners.resolve("edge-popup+recycle", {"rate": rate}, 20)
    if message is None:
        assert pruner.check([("fc", size, kept)]) == []
    else:
        with pytest.raises(ConfigError, match=message):
            pruner.check([("fc", size, kept)])


def test_recycle_above_the_density_is_noted() -> None:
    notes = pruners.resolve("biprop+recycle", {"rate": 0.2}, 20).check([("fc", 100, 10), ("out", 100, 50)])
    assert len(notes) == 1
    assert "fc" in notes[0]
    assert "out" not in notes[0]


def test_a_layer_that_keeps_one_weight_trains() -> None:
    cohort = state.initial(
        0,
        LEVELS,
        study.Training(),
        pruners.resolve("biprop", {}, 20),
        0.001,
        [LayerShape("fc", (4, 8))],
        "cpu",
    )
    ((layer, weight),) = cohort.effective()
    assert (weight != 0).flatten(1).sum(1).tolist() == [1, 1, 1]
    assert layer.kept == 1
