import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from masklab import pruners, study

HEAD = '[[population]]\npruner = "biprop"\n'
ONE = HEAD + "density = 0.5\n"

SECTIONS: list[type[BaseModel]] = [
    *(field.annotation for field in study.Study.model_fields.values() if isinstance(field.annotation, type)),
    study.Population,
    *(pruners.options_type(name) for name in pruners.names()),
]  # pyright: ignore[reportAssignmentType]


def _read(tmp_path: Path, text: str, changes: dict[str, str] | None = None) -> study.Study:
    file = tmp_path / "tiny.toml"
    file.write_text(text)
    return study.read(file, changes)


def test_a_population_is_all_that_a_study_needs(tmp_path: Path) -> None:
    read = _read(tmp_path, ONE)
    assert read.study.name == "tiny"
    assert [(p.name, p.pruner, p.density, p.members) for p in read.population] == [
        ("biprop-d0.5", "biprop", 0.5, 8)
    ]


def test_a_file_called_study_takes_its_name_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recycling").mkdir()
    (tmp_path / "recycling" / "study.toml").write_text(ONE)
    assert study.read(tmp_path / "recycling" / "study.toml").study.name == "recycling"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_is_described_and_every_default_is_valid(section: type[BaseModel]) -> None:
    assert section.model_fields or section.__name__ == "Options"
    for name, field in section.model_fields.items():
        assert field.description, name
    required = {name for name, field in section.model_fields.items() if field.is_required()}
    assert required <= ({"pruner", "density", "name"} if section is study.Population else {"of"})
    if not required:
        defaults = section.model_validate({})
        assert section.model_validate(defaults.model_dump()) == defaults


@pytest.mark.parametrize("density", ["0.50", "0.5", "5e-1", "1", "1.0", "0.125"])
def test_default_names_keep_the_density_as_typed(tmp_path: Path, density: str) -> None:
    (population,) = _read(tmp_path, f"{HEAD}density = {density}\n").population
    assert population.name == f"biprop-d{density}"
    assert population.density == float(density)
    (same,) = study.from_options({}, ["biprop"], [density], {}).population
    assert same.name == population.name


def test_an_exponent_typed_as_a_capital_makes_a_valid_name(tmp_path: Path) -> None:
    assert _read(tmp_path, HEAD + "density = 5E-1\n").population[0].name == "biprop-d5e-1"


@pytest.mark.parametrize(
    ("field", "text", "section", "value"),
    [
        ("training.epochs", "5", "training", 5),
        ("training.learning_rate", "0.5", "training", 0.5),
        ("training.learning_rate", "1", "training", 1.0),
        ("seeds.crossed", "true", "seeds", True),
        ("seeds.scores", "2", "seeds", 2),
        ("seeds.weights", "member", "seeds", "member"),
        ("seeds.weights", '"member"', "seeds", "member"),
        ("network.name", "mlp", "network", "mlp"),
        ("network.name", "'mlp'", "network", "mlp"),
        ("study.name", "a = b", "study", "a = b"),
        ("data.path", "/data/images", "data", "/data/images"),
    ],
)
def test_set_takes_a_toml_value_or_else_text(
    tmp_path: Path, field: str, text: str, section: str, value: object
) -> None:
    read = _read(tmp_path, ONE, {field: text})
    found = getattr(getattr(read, section), field.partition(".")[2])
    assert found == value
    assert type(found) is type(value)


def test_set_changes_what_an_option_would_have_been() -> None:
    made = study.from_options({"epochs": 9}, ["biprop"], ["0.5"], {"training.epochs": "3"})
    assert made.training.epochs == 3


def test_options_multiply() -> None:
    made = study.from_options(
        {"data": "imagefolder:/a:b", "network": "mlp", "width": 0.5, "members": 2, "epochs": 4},
        ["biprop", "random"],
        ["0.50", "0.1"],
        {},
    )
    names = ["biprop-d0.50", "biprop-d0.1", "random-d0.50", "random-d0.1"]
    assert [(p.name, p.members) for p in made.population] == [(name, 2) for name in names]
    assert (made.data.name, made.data.path) == ("imagefolder", "/a:b")
    assert (made.network.name, made.network.width, made.training.epochs) == ("mlp", 0.5, 4)
    assert made.study.name == "imagefolder-mlp"


def test_the_largest_period_with_an_event_is_allowed(tmp_path: Path) -> None:
    read = _read(tmp_path, '[[population]]\npruner = "biprop+iterand"\ndensity = 0.5\nperiod = 18\n')
    assert read.pruner_of(read.population[0]).event_epochs(read.training.epochs) == [18]


def test_overrides_replace_fields_of_the_training_and_are_no_options(tmp_path: Path) -> None:
    lines = 'weight_init = "signed-constant"\nrate = 0.2\n'
    read = _read(tmp_path, f'[[population]]\npruner = "biprop+recycle"\ndensity = 0.5\n{lines}')
    (population,) = read.population
    assert population.overrides == {"weight_init": "signed-constant"}
    assert population.options == {"rate": 0.2}
    assert read.training_of(population).weight_init == "signed-constant"
    assert read.training_of(population).epochs == read.training.epochs
    options = {"period": 1, "period_steps": None, "rate": 0.2, "source": "highest"}
    assert read.pruner_of(population).options.model_dump() == options


levels = st.one_of(st.integers(1, 4), st.just("member"))
designs = st.fixed_dictionaries(dict.fromkeys(study.SEED_SOURCES, levels))


@settings(deadline=None)
@given(design=designs, index=st.integers(0, 200))
def test_nested_levels_are_the_index_modulo_the_draws(design: dict[str, Any], index: int) -> None:
    found = study.Seeds(**design).levels(index)
    assert list(found) == list(study.SEED_SOURCES)
    for source, level in design.items():
        assert found[source] == (index if level == "member" else index % level)


@settings(deadline=None)
@given(design=designs)
def test_crossed_levels_cover_the_full_factorial_exactly_once(design: dict[str, Any]) -> None:
    seeds = study.Seeds(**design, crossed=True)
    integers = {source: level for source, level in design.items() if level != "member"}
    assert seeds.product() == math.prod(integers.values())
    found = [seeds.levels(index) for index in range(seeds.product())]
    cells = Counter(tuple(levels[source] for source in integers) for levels in found)
    assert cells == Counter(itertools.product(*(range(level) for level in integers.values())))
    for index, levels in enumerate(found):
        assert all(levels[source] == index for source in design.keys() - integers.keys())


def test_crossed_seeds_set_the_number_of_members(tmp_path: Path) -> None:
    text = "[seeds]\ncrossed = true\nweights = 2\nscores = 3\n"
    assert [p.members for p in _read(tmp_path, text + ONE).population] == [6]
    assert [p.members for p in _read(tmp_path, text + ONE + "members = 6\n").population] == [6]


def test_a_study_never_changes(tmp_path: Path) -> None:
    read = _read(tmp_path, ONE)
    for section, field in ((read.training, "epochs"), (read.population[0], "members"), (read, "seeds")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, field, 3)
