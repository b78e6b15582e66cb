"""What a recipe means to controls: counts under global selection, and fields without an effect."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import masklab
from masklab import pruners
from masklab.analysis import results
from masklab.errors import ConfigError
from tests.conftest import TinyStudy

Train = Callable[..., Any]

CONTROLS = [name for name in pruners.names() if pruners.parse(name)[2]]
SOURCED = [name for name in CONTROLS if "of" in pruners.options_type(name).model_fields]
OTHER = {
    "score_init": "kaiming-uniform",
    "rank": "signed",
    "selection": "global",
    "fan_scale": "none",
    "weight_init": "signed-constant",
}


def test_a_shuffled_mask_of_global_selection_has_no_count_of_its_own(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny(
        {"pruner": "biprop", "name": "g", "selection": "global", "density": 0.2},
        {"pruner": "shuffled", "name": "s", "of": "g", "density": 0.2},
        {"pruner": "random", "name": "r", "density": 0.2},
        {"pruner": "biprop", "name": "l", "density": 0.2},
        {"pruner": "shuffled", "name": "t", "of": "l", "density": 0.2},
        analysis={"interpolation_pairs": 0},
    )
    train(of, tmp_path)
    record = json.loads((tmp_path / "study.json").read_text())
    populations = {population["name"]: population for population in record["populations"]}
    for name, population in populations.items():
        kept = [layer["kept"] for layer in population["layers"]]
        assert [count is None for count in kept] == [name in ("g", "s")] * 3
    archive = masklab.open(tmp_path)
    for index in (0, 1):
        for source, control in (("g", "s"), ("l", "t")):
            one, other = (archive.member(f"{name}/000{index}") for name in (source, control))
            counts = {layer: int(mask.sum()) for layer, mask in other.mask().items()}
            assert counts == {layer: int(mask.sum()) for layer, mask in one.mask().items()}
            assert counts == {layer.name: layer.kept for layer in other.layers}
    by_share = [int(mask.sum()) for mask in archive.mask("l/0000").values()]
    assert [int(mask.sum()) for mask in archive.mask("s/0000").values()] != by_share
    for name, population in populations.items():
        ids = [f"{name}/000{index}" for index in (0, 1)]
        kept = [sum(int(mask.sum()) for mask in archive.mask(one).values()) for one in ids]
        found = results._kept(archive, population, ids)
        assert found == pytest.approx(sum(kept) / 2)


@pytest.mark.parametrize("field", OTHER)
@pytest.mark.parametrize("control", CONTROLS)
def test_overrides_without_effect_are_refused(tiny: TinyStudy, control: str, field: str) -> None:
    density = 1.0 if control == "dense" else 0.5
    source = {"pruner": "biprop", "name": "b"}
    more = {"of": "b"} if control in SOURCED else {}
    population = {"pruner": control, "name": "c", "density": density, **more}
    pruner = tiny(source, population).pruner_of(tiny(source, population).population[1])
    overridden = {**population, field: OTHER[field]}
    if control in SOURCED:
        with pytest.raises(ConfigError, match=rf"population 'c': {field}: it has that of 'b'$"):
            tiny(source, overridden)
    elif field in pruner.ignores:
        message = rf"population 'c': {field}: has no effect on '{control}'; leave it out$"
        with pytest.raises(ConfigError, match=message):
            tiny(source, overridden)
    else:
        assert tiny(source, overridden).population[1].overrides == {field: OTHER[field]}


@pytest.mark.parametrize("control", [name for name in CONTROLS if name not in SOURCED])
def test_what_is_ignored_really_changes_nothing(
    tiny: TinyStudy, train: Train, tmp_path: Path, control: str
) -> None:
    """Digests apart: the same masks and weights under another recipe of everything that is ignored."""
    population = {"pruner": control, "name": "c", "density": 1.0 if control == "dense" else 0.5}
    of = tiny(population)
    ignored = of.pruner_of(of.population[0]).ignores
    assert {"score_init", "rank", "selection"} <= set(ignored)
    train(of, tmp_path / "one")
    train(tiny(population, training={field: OTHER[field] for field in ignored}), tmp_path / "two")
    one, other = (masklab.open(tmp_path / name) for name in ("one", "two"))
    for member in one.ids:
        assert one.member(member).facts["digest"] == other.member(member).facts["digest"]
    for field in set(OTHER) - set(ignored):
        train(tiny(population, training={field: OTHER[field]}), tmp_path / field)
        changed = masklab.open(tmp_path / field).member("c/0000").facts["digest"]
        assert changed != one.member("c/0000").facts["digest"]


@pytest.mark.parametrize("selection", ["layer", "global"])
def test_controls_without_a_source_carry_a_note_under_global_selection(
    tiny: TinyStudy, train: Train, tmp_path: Path, selection: str
) -> None:
    own = [name for name in CONTROLS if name not in SOURCED]
    of = tiny(
        {"pruner": "biprop", "name": "b"},
        *({"pruner": name, "name": name, "density": 1.0 if name == "dense" else 0.5} for name in own),
        *({"pruner": name, "name": name, "of": "b"} for name in SOURCED),
        training={"selection": selection, "epochs": 1},
    )
    train(of, tmp_path)
    warnings = json.loads((tmp_path / "study.json").read_text())["warnings"]
    noted = [warning for warning in warnings if warning["code"] == "control-note"]
    assert [warning["where"] for warning in noted] == (own if selection == "global" else [])
    assert all("keeps the same share of every layer" in warning["text"] for warning in noted)
