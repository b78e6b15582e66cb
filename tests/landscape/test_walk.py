"""A path between any two members: the ends are the members, and what does not fit is one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from masklab.archive import Archive
from masklab.errors import ConfigError
from masklab.landscape import settings
from masklab.landscape import walk as walking
from tests.conftest import Cli, TinyStudy, write_images
from tests.landscape import contexts

Train = Callable[..., Any]


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("edge-popup", "biprop", "edge-popup+recycle", "random")
    populations = [{"pruner": name, "members": 2} for name in names]
    out = tmp_path_factory.mktemp("walk") / "one"
    return contexts.trained(images, out, populations, seeds={"weights": 1})


@pytest.fixture(scope="module")
def second(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network, data and ids; other seeds."""
    out = tmp_path_factory.mktemp("walk") / "two"
    seeds = {"study": 7, "weights": 1}
    return contexts.trained(images, out, [{"pruner": "edge-popup", "members": 2}], seeds=seeds)


@pytest.mark.parametrize("path", settings.path_names())
def test_ends_are_the_members(stored: Path, path: str) -> None:
    archive = Archive(stored)
    ids = ("edge-popup-d0.5/0000", "edge-popup-d0.5/0001")
    found = walking.walk((archive, ids[0]), (archive, ids[1]), path, points=5, orders=2)
    random = path in ("geodesic", "geodesic-swap", "bernoulli")
    assert len(found.outcomes) == (2 if random else 1)
    assert found.rule == ("weights" if path == "linear" else "mask")
    test = [row for row in found.rows() if row["split"] == "test" and row["order"] == 0]
    assert [row["t"] for row in test] == [0, 0.25, 0.5, 0.75, 1]
    for row, own in ((test[0], ids[0]), (test[-1], ids[1])):
        assert row["accuracy"] == pytest.approx(archive.member(own).facts["accuracy"]["test"])
    for row in found.barriers():
        assert (
            0
            <= row["entezari_error"]
            <= row["frankle_error"] + 1e-12 + abs(test[0]["accuracy"] - test[-1]["accuracy"])
        )


def test_members_of_two_studies_may_have_one_id(stored: Path, second: Path) -> None:
    own = "edge-popup-d0.5/0000"
    found = walking.walk((Archive(stored), own), (Archive(second), own), "geodesic", points=3)
    assert found.rule == "effective"  # other seeds, other base weights
    accuracies = [Archive(out).member(own).facts["accuracy"]["test"] for out in (stored, second)]
    test = [row["accuracy"] for row in found.rows() if row["split"] == "test"]
    assert test[::2] == pytest.approx(accuracies)


def test_the_command_prints_points_and_barriers(stored: Path, cli: Cli) -> None:
    ids = ("edge-popup-d0.5/0000", "biprop-d0.5/0001")
    code, out, err = cli("walk", stored, *ids, "--points", 3)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1 + 6 + 1 + 1 + 2 + 1 and "Entezari error" in out
    code, out, _ = cli("walk", stored, *ids, "--points", 3, "--json", "--path", "geodesic")
    document = json.loads(out)
    assert code == 0 and document["rule"] == "effective" and len(document["points"]) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("edge-popup-d0.5/0000", "edge-popup-d0.5/0000"), "was named twice"),
        (("edge-popup-d0.5/0000", "edge-popup-d0.5/0007"), "does not exist"),
        (("edge-popup-d0.5/0000", "nobody"), "is not a member id"),
        (("edge-popup-d0.5/0000", "random-d0.5/0001", "--path", "scores"), "path 'scores': needs scores"),
        (("edge-popup-d0.5/0000", "biprop-d0.5/0001", "--path", "scores"), "one gate and one set"),
        (("edge-popup-d0.5/0000", "biprop-d0.5/0001", "--path", "curved"), "unknown path 'curved'"),
        (("edge-popup-d0.5/0000", "biprop-d0.5/0001", "--points", "2"), "points is 2; allowed: 3 to 1001"),
        (("edge-popup-d0.5/0000", "biprop-d0.5/0001", "--orders", "0"), "orders is 0"),
        (("edge-popup-d0.5/0000", "biprop-d0.5/0001", "--device", "abacus"), "unknown device"),
    ],
)
def test_what_does_not_fit_is_one_line(
    stored: Path, cli: Cli, options: tuple[str, ...], message: str
) -> None:
    code, _, err = cli("walk", stored, *options)
    assert code == 2 and message in err and err.count("\n") == 1


def test_other_networks_and_data_are_refused(
    stored: Path, tiny: TinyStudy, train: Train, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = "edge-popup-d0.5/0000"
    wider, other, data = (tmp_path / name for name in ("wider", "other", "data"))
    train(tiny({"pruner": "edge-popup"}, network={"width": 0.06}), wider)
    train(tiny({"pruner": "edge-popup"}, network={"name": "conv2"}), other)
    images = write_images(tmp_path_factory.mktemp("data") / "tiny", train=60)
    train(tiny({"pruner": "edge-popup"}, data={"path": str(images)}), data)
    for out, message in (
        (wider, "different networks: layer '.*' has shape"),
        (other, "no common layers|different networks"),
        (data, "trained on different data"),
    ):
        with pytest.raises(ConfigError, match=message) as raised:
            walking.walk((Archive(stored), own), (Archive(out), own))
        assert "\n" not in str(raised.value)


def test_imported_members_have_no_network(stored: Path, tmp_path: Path, cli: Cli) -> None:
    mask = tmp_path / "mask.safetensors"
    stored = shutil.copytree(stored, tmp_path / "study")
    assert cli("export", stored, "edge-popup-d0.5/0000", "-o", mask)[0] == 0
    assert cli("import", mask, "--out", stored, "--population", "theirs")[0] == 0
    code, _, err = cli("walk", stored, "edge-popup-d0.5/0000", "theirs/0000")
    assert code == 2 and "was imported" in err and err.count("\n") == 1
