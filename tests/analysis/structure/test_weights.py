import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from masklab.analysis.structure import weights
from masklab.archive import Archive, Content, directory, member
from tests.analysis import builder
from tests.archive.exchange import samples

SHAPES = {"conv": (32, 16, 3, 3), "fc": (10, 32)}


def rewritten(archive: Archive, own: str, **changed) -> None:
    """Store a member with other base weights, as a refresh leaves them."""
    held = archive.member(own)
    content = Content(facts=held.facts, recipe=held.recipe, masks=held.mask(), gains={}, base=held.weights())
    population, _, index = own.rpartition("/")
    member.write(
        directory.member_path(archive.directory, population, int(index)), replace(content, **changed)
    )


def measured(archive: Archive, own: str, draws: weights.Draws | None = None) -> dict:
    """Layer and metric → what a member shows."""
    held = archive.member(own)
    found = (draws or weights.Draws()).measure(held, held.mask())
    return {(layer, metric): one for (layer, metric, _), one in found.items()}


def built(folder: Path, masks: list, **more) -> Archive:
    return builder.build(folder, {"p-d0.5": masks}, **more)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return built(tmp_path, [builder.random_mask(seed, 0.3, SHAPES) for seed in range(3)], draws=2)


def expected(values, mask, initial):
    """Every metric, written out, from flat lists of base weights."""
    kept, pruned = values[mask].astype(float), values[~mask].astype(float)
    whole = values.astype(float)
    return {
        "positive_kept": ((kept > 0).mean(), (whole > 0).mean()),
        "positive_pruned": ((pruned > 0).mean(), (whole > 0).mean()),
        "norm_kept": (np.linalg.norm(kept), math.sqrt(mask.mean()) * np.linalg.norm(whole)),
        "norm_pruned": (np.linalg.norm(pruned), math.sqrt(1 - mask.mean()) * np.linalg.norm(whole)),
        "norm_all": (np.linalg.norm(whole), math.nan),
        "norm_initial": (np.linalg.norm(initial), math.nan),
        "norm_ratio": (np.linalg.norm(whole) / np.linalg.norm(initial.astype(float)), math.nan),
        "squared_norm_share_kept": ((kept**2).sum() / (whole**2).sum(), mask.mean()),
        "rms_kept": (math.sqrt((kept**2).mean()), math.sqrt((whole**2).mean())),
        "rms_pruned": (math.sqrt((pruned**2).mean()), math.sqrt((whole**2).mean())),
    }


def hold_against_formulas(archive: Archive, own: str, draws: weights.Draws | None = None) -> None:
    held = archive.member(own)
    found, base, mask = measured(archive, own, draws), held.weights(), held.mask()
    assert held.recipe is not None
    initial = {layer.name: held.recipe.initial(layer) for layer in held.layers}
    flat = {name: (base[name].reshape(-1), mask[name].reshape(-1), initial[name]) for name in mask}
    values, masks, draws_of = (np.concatenate(parts) for parts in zip(*flat.values(), strict=True))
    flat["whole"] = values, masks, draws_of
    for name, parts in flat.items():
        for metric, (value, chance) in expected(*parts).items():
            assert found[name, metric].value == pytest.approx(value, rel=1e-6), (name, metric)
            assert found[name, metric].chance == pytest.approx(chance, rel=1e-6, nan_ok=True), (name, metric)
    assert {metric for _, metric in found} == set(weights.METRICS)
    assert len(found) == 3 * len(weights.METRICS)


def test_every_metric_of_untouched_weights(archive: Archive) -> None:
    draws = weights.Draws()
    for own in archive.ids:  # the held draw is replaced and taken up again
        hold_against_formulas(archive, own, draws)
    assert measured(archive, archive.ids[0])["conv", "norm_ratio"].value == 1
    assert measured(archive, archive.ids[0])["whole", "distinct_share"][:2] == (1, 1)


def test_recycled_weights_repeat_values_and_grow(archive: Archive) -> None:
    own = archive.ids[0]
    held = archive.member(own)
    base, origins = held.weights(), {}
    for name, values in base.items():
        order = np.argsort(-np.abs(values.reshape(-1)), kind="stable")
        origin = np.zeros(values.size, dtype=np.int64)
        origin[order[-values.size // 4 :]] = 1 + order[0]  # the smallest quarter takes the largest value
        origins[name] = origin
        base[name] = values.reshape(-1)[np.where(origin > 0, origin - 1, np.arange(origin.size))].reshape(
            values.shape
        )
    rewritten(archive, own, base=base, origins=origins, origin_kind="position")
    again = Archive(archive.directory)
    hold_against_formulas(again, own)
    found = measured(again, own)
    assert found["conv", "norm_ratio"].value > 1.2
    assert found["conv", "distinct_share"].value == pytest.approx(0.75, abs=1e-3)
    assert found["conv", "distinct_share"].chance == 1
    size = {name: values.size for name, values in base.items()}
    distinct = sum(np.unique(values).size for values in base.values())
    assert found["whole", "distinct_share"].value == distinct / sum(size.values())


def test_trained_weights_are_held_against_their_initial_draw(tmp_path: Path) -> None:
    archive = built(tmp_path, [builder.random_mask(0, 0.5, SHAPES)], trained=["p-d0.5"])
    own = archive.ids[0]
    base = {name: 3 * values for name, values in archive.member(own).weights().items()}
    rewritten(archive, own, base=base, origin_kind="trained")
    again = Archive(archive.directory)
    hold_against_formulas(again, own)
    assert measured(again, own)["fc", "norm_ratio"].value == pytest.approx(3)


@pytest.mark.parametrize(
    ("share", "why", "undefined"),
    [
        (1.0, "the mask prunes no weight", {"positive_pruned", "rms_pruned"}),
        (0.0, "the mask keeps no weight", {"positive_kept", "rms_kept"}),
    ],
)
def test_nothing_pruned_or_nothing_kept(tmp_path: Path, share: float, why: str, undefined: set[str]) -> None:
    mask = {name: np.full(shape, share > 0) for name, shape in SHAPES.items()}
    archive = built(tmp_path, [mask])
    found = measured(archive, archive.ids[0])
    for metric in weights.METRICS:
        one = found["fc", metric]
        assert math.isnan(one.value) == (metric in undefined), metric
        assert one.why == why or metric not in undefined
    other = "pruned" if share else "kept"
    assert found["fc", f"norm_{other}"][:2] == (0, 0)


def test_masks_without_weights_say_so(tmp_path: Path) -> None:
    builder.build(tmp_path / "out", builder.random_masks({"p-d0.5": 0.5}, 1))
    samples.savez(tmp_path / "foreign.npz", builder.random_mask(1, 0.5))
    samples.take(tmp_path / "out", tmp_path / "foreign.npz", population="foreign")
    archive = Archive(tmp_path / "out")
    found = measured(archive, "foreign/0000")
    assert set(found) == {(name, m) for name in ("whole", *builder.SHAPES) for m in weights.METRICS}
    for one in found.values():
        assert math.isnan(one.value) and math.isnan(one.chance)
        assert one.why == "the base weights of pruned weights are not known (imported)"


def test_imported_weights_have_no_initial_draw(tmp_path: Path) -> None:
    path = samples.save(tmp_path, "model.pt", samples.checkpoint())
    samples.take(tmp_path / "out", path, population="foreign", density=0.5)
    archive = Archive(tmp_path / "out")
    found = measured(archive, "foreign/0000")
    assert found["whole", "norm_kept"].value > 0
    for metric in ("norm_initial", "norm_ratio"):
        assert math.isnan(found["whole", metric].value)
        assert found["whole", metric].why == "the initial draw is not known (imported)"
    assert found["whole", "distinct_share"].value == 1
    assert math.isnan(found["whole", "distinct_share"].chance)


PUBLISHED = {"conv8": (37.69, 45.25, 25.05), "l1": (25.22, 32.0, 19.69)}
"""Edge-Popup on Conv8: norm of the kept half, of the layer, and true norm of the pruned half."""


@pytest.mark.parametrize("layer", PUBLISHED)
def test_the_pruned_norm_is_that_of_the_complement(tmp_path: Path, layer: str) -> None:
    kept_norm, all_norm, pruned_norm = PUBLISHED[layer]
    shape, random = {"fc": (256, 512)}, np.random.RandomState(0)
    archive = built(tmp_path / "first", [builder.random_mask(0, 0.5, shape)])
    values = archive.weights(archive.ids[0])["fc"].reshape(-1).astype(float)
    # a half that prefers large values as far as the published kept norm says; .0713 and .9287 of the squared
    # norm of normal values lie in their smaller and in their larger half
    preference = ((kept_norm / all_norm) ** 2 - 0.0713) / (0.9287 - 0.0713)
    order = np.argsort(-np.abs(values))
    large, small = random.permutation(order[: order.size // 2]), random.permutation(order[order.size // 2 :])
    count = round(preference * large.size)
    mask = np.zeros(values.size, dtype=bool)
    mask[large[:count]] = mask[small[: large.size - count]] = True
    archive = built(tmp_path / "second", [{"fc": mask.reshape(shape["fc"])}])
    found, total = measured(archive, archive.ids[0]), np.linalg.norm(values)
    assert found["fc", "norm_kept"].value / total == pytest.approx(kept_norm / all_norm, rel=2e-3)
    assert found["fc", "norm_pruned"].value / total == pytest.approx(pruned_norm / all_norm, rel=4e-3)
    complement = math.sqrt(total**2 - found["fc", "norm_kept"].value ** 2)
    assert found["fc", "norm_pruned"].value == pytest.approx(complement, rel=1e-9)
    mirrored = np.linalg.norm(values[~np.flatnonzero(mask)])  # ~i = −i − 1: as good as a random half
    assert mirrored == pytest.approx(total / math.sqrt(2), rel=0.01)
    assert found["fc", "norm_pruned"].value < 0.9 * mirrored
    assert found["fc", "norm_kept"].chance == pytest.approx(total / math.sqrt(2), rel=1e-9)


def test_a_random_half_has_the_chance_level(tmp_path: Path) -> None:
    archive = built(tmp_path, [builder.random_mask(0, 0.5, {"fc": (256, 512)})])
    found = measured(archive, archive.ids[0])
    for metric in ("norm_kept", "norm_pruned", "rms_kept", "positive_kept", "squared_norm_share_kept"):
        assert found["fc", metric].value == pytest.approx(found["fc", metric].chance, rel=0.01)
