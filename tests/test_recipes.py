"""The study files under `reports/` are valid, state what a reader needs, and train."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import masklab
from masklab import bits, networks, study
from masklab import data as datasets
from masklab.training import counts, rebuild
from masklab.training.run import Outcome

REPORTS = Path(__file__).parent.parent / "reports"
FILES = sorted(REPORTS.rglob("*.toml"))
RECIPES = [path for path in FILES if path.parent.name == "recipes"]
TABLE = (REPORTS / "recipes" / "README.md").read_text()
CIFAR = ((3, 32, 32), 10, 50_000)
ANY = {"members", "density", "name"}

everywhere = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
each_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def header(path: Path) -> dict[str, str]:
    """What the comment at the top of a study file says, by its headings."""
    found: dict[str, str] = {}
    heading = ""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if named := re.match(r"# (\w+):\s+(.*)", line):
            heading = named[1]
            found[heading] = named[2]
        else:
            found[heading] += " " + line.lstrip("# ")
    return found


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 training and 20 test images of the shape of CIFAR-10's, of random intensities."""
    random = np.random.RandomState(0)
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(
        path,
        train_images=random.randint(0, 256, (40, 32, 32, 3)).astype(np.uint8),
        train_labels=np.arange(40) % 10,
        test_images=random.randint(0, 256, (20, 32, 32, 3)).astype(np.uint8),
        test_labels=np.arange(20) % 10,
    )
    return path


def scaled(path: Path, images: Path) -> study.Study:
    """A study file in small: its kinds of population once each, at their lowest density, one member."""
    raw = tomllib.loads(path.read_text())
    kinds: dict[str, dict[str, Any]] = {}
    for population in sorted(raw["population"], key=lambda one: one.get("density", 1.0)):
        kinds.setdefault(str({key: population[key] for key in sorted(set(population) - ANY)}), population)
    raw["population"] = [{**population, "members": 1} for population in kinds.values()]
    for population in raw["population"]:
        for field in {"period", "period_steps"} & set(population):
            population[field] = 1 if field == "period" else 3
        if population.get("selection") == "global":
            population["density"] = 0.4  # below, a layer empties before so few steps have moved its scores
    raw["data"] |= {"name": "arrays", "path": str(images)}
    raw["network"]["width"] = 0.05
    raw["training"] |= {"epochs": 3, "batch_size": 12}
    if "ramp_epochs" in raw["training"]:
        raw["training"]["ramp_epochs"] = 1
    return study.build(raw, where=str(path))


def test_there_are_recipes_of_every_paper() -> None:
    papers = {path.stem.split("-")[0] for path in RECIPES}
    assert papers == {"edge", "biprop", "iterand", "recycle"}
    assert len(FILES) > len(RECIPES) >= 11


@everywhere
def test_the_file_is_valid_and_says_what_a_reader_needs(path: Path) -> None:
    read, said = study.read(path), header(path)
    assert read.study.name == (path.stem if path.stem != "study" else path.parent.name)
    assert {"Question", "Data", "Cost", "Expectation"} <= set(said)
    assert said["Question"].endswith("?")
    assert all(len(text) > 20 for text in said.values())


@each_recipe
def test_a_recipe_states_its_source_and_how_it_differs(path: Path) -> None:
    said, read = header(path), study.read(path)
    assert "arXiv" in said["Source"]
    assert said["Differs"].count("· ") >= 2
    assert ("scale_fan" in said["Differs"]) == any(
        read.training_of(population).fan_scale == "reference" for population in read.population
    )
    assert read.data.name == "cifar10"
    assert not read.data.download
    total = sum(population.members for population in read.population)
    assert said["Cost"].startswith(f"{total} members ")


@each_recipe
def test_every_change_that_a_recipe_suggests_is_valid(path: Path) -> None:
    own, shared = (
        {found.rstrip(".,;:)`") for found in re.findall(r"--set ([a-z_]+\.[a-z_]+=\S+)", text)}
        for text in (" ".join(header(path).values()), TABLE)
    )
    assert {"data.download=true", "data.name=imagefolder", "data.path=FOLDER"} <= own & shared
    for change in own | {change for change in shared if not change.startswith("network.name")}:
        field, _, value = change.partition("=")
        changed = study.read(path, {field: value})
        assert changed != study.read(path), change
        assert networks.describe(changed.network.settings, *CIFAR[:2]).layers


@each_recipe
def test_the_cost_names_the_steps_on_45000_images(path: Path) -> None:
    recipe = study.read(path).training
    steps = recipe.epochs * counts.steps_per_epoch(45_000, recipe.batch_size)
    assert f"{steps:,} steps" in header(path)["Cost"]


@each_recipe
def test_every_pruner_fits_the_network_at_full_size(path: Path) -> None:
    read = study.read(path)
    shape, classes, images = CIFAR
    layers = networks.describe(read.network.settings, shape, classes).layers
    train = images - counts.validation_count(images, read.data.validation_fraction)
    steps = read.training.epochs * counts.steps_per_epoch(train, read.training.batch_size)
    for population in read.population:
        kept = [(one.name, one.size, bits.kept_count(one.size, population.density)) for one in layers]
        notes = read.pruner_of(population).check(kept, steps)
        rate = population.options.get("rate", 0.0)
        assert bool(notes) == (population.pruner.endswith("recycle") and rate > population.density)


@pytest.mark.parametrize(
    ("stem", "name", "events"),
    [
        ("recycle-conv2", "edge-popup+recycle-d0.5", 82),
        ("recycle-conv2", "biprop+recycle-d0.5", 24),
        ("recycle-conv6", "edge-popup+recycle-d0.1", 24),
        ("recycle-conv6", "edge-popup+iterand-d0.1", 248),
        ("recycle-resnet18", "biprop+recycle-d0.02", 24),
        ("iterand-conv6", "edge-popup+iterand-d0.5", 117),
        ("iterand-resnet18", "edge-popup+iterand-ku-r0.01-d0.4", 117),
    ],
)
def test_refreshes_fire_as_often_as_published(stem: str, name: str, events: int) -> None:
    read = study.read(REPORTS / "recipes" / f"{stem}.toml")
    pruner = read.pruner_of(next(one for one in read.population if one.name == name))
    steps = read.training.epochs * counts.steps_per_epoch(45_000, read.training.batch_size)
    if pruner.event_unit == "step":
        assert sum(map(pruner.fires_before, range(steps))) == events
    else:
        assert len(pruner.event_epochs(read.training.epochs)) == events


@each_recipe
def test_the_table_of_recipes_is_that_of_the_files(path: Path) -> None:
    read = study.read(path)
    (row,) = (line for line in TABLE.splitlines() if line.startswith(f"| `{path.name}`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    recipe = read.training
    assert cells[2] == read.network.name
    assert set(re.findall(r"`([a-z+-]+)`", cells[3])) == {one.pruner for one in read.population}
    assert cells[4] == f"{recipe.epochs} × {recipe.batch_size}"
    rates = {one.options["learning_rate"] for one in read.population if "learning_rate" in one.options}
    assert cells[5].startswith({"sgd": "SGD", "adam": "Adam"}[recipe.optimizer])
    assert set(re.findall(r"[\d.]+", cells[5])) == {
        f"{number:g}" for number in {recipe.learning_rate, recipe.weight_decay, *rates}
    }


def test_the_table_names_no_file_that_is_not_there() -> None:
    named = re.findall(r"^\| `([\w.-]+\.toml)`", TABLE, flags=re.MULTILINE)
    assert sorted(named) == [path.name for path in RECIPES]


@everywhere
def test_it_trains_and_members_rebuild_to_their_predictions(
    path: Path, images: Path, tmp_path: Path, train: Callable[..., Outcome]
) -> None:
    of = scaled(path, images)
    outcome = train(of, tmp_path, engine="loop")
    assert not outcome.failed, [read.read_text() for read in tmp_path.rglob("*.failed.json")]
    assert len(outcome.written) == len(of.population)
    test_images = datasets.load("arrays", str(images)).test_images
    archive = masklab.open(tmp_path)
    for name in archive.ids:
        member = archive.member(name)
        again, _ = rebuild.predictions(rebuild.repeat_predictions(member, test_images))
        assert np.array_equal(again, member.prediction()), name
        assert np.isfinite(member.facts["history"]["loss"]).all()
        assert bool(member.facts["refresh"]) == bool(member.facts["events"])
