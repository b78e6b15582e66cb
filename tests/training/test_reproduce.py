"""`reproduce` says that a member is bit-identical exactly when it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import pruners, stages, study
from masklab.archive import Member, container
from masklab.errors import DataError
from tests.conftest import Cli, member_bytes, write_images

TRAINED = [name for name in pruners.names() if "of" not in pruners.options_type(name).model_fields]
POPULATIONS: list[dict[str, Any]] = [
    *({"pruner": name, "name": name, "density": 1.0 if name == "dense" else 0.5} for name in TRAINED),
    {"pruner": "edge-popup+iterand", "name": "steps", "density": 0.3, "period_steps": 4, "rate": 0.5},
    {"pruner": "biprop+recycle", "name": "global", "density": 0.3, "selection": "global", "rate": 0.1},
    {"pruner": "edge-popup", "name": "signed", "density": 0.2, "rank": "signed", "weight_init": "uniform"},
    {"pruner": "shuffled", "name": "shuffled", "of": "biprop+recycle"},
    {"pruner": "shuffled", "name": "shuffled-trained", "of": "magnitude"},
]
NORM: list[dict[str, Any]] = [
    {"pruner": "biprop+recycle", "name": "norm", "density": 0.5},
    {"pruner": "shuffled", "name": "norm-shuffled", "of": "norm"},
    {"pruner": "random", "name": "norm-random", "density": 0.5},
]
HOW: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, dict[str, Any]]]] = {
    "vmap": (POPULATIONS, {"engine": "vmap"}, {"training": {"augment": "crop-flip"}}),
    "loop": (POPULATIONS[:1] + POPULATIONS[-4:-2], {"engine": "loop"}, {"training": {"optimizer": "adam"}}),
    "bf16": (POPULATIONS[1:4], {"engine": "vmap", "precision": "bf16"}, {"study": {"snapshots": [1]}}),
    "norm": (NORM, {"engine": "loop"}, {"network": {"name": "resnet18", "batchnorm": "learned"}}),
}


def build(images: Path, populations: list[dict[str, Any]], **tables: dict[str, Any]) -> study.Study:
    raw: dict[str, dict[str, Any]] = {
        "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
        "network": {"name": "mlp", "width": 0.05},
        "training": {"epochs": 4, "batch_size": 16},
    }
    for name, table in tables.items():
        raw[name] = {**raw.get(name, {}), **table}
    return study.build({**raw, "population": [{"members": 2, **population} for population in populations]})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Callable[[str], Path]:
    """Function from a way of training to a directory with its members, trained once."""
    made: dict[str, Path] = {}

    def get(how: str) -> Path:
        if how not in made:
            populations, options, tables = HOW[how]
            out = tmp_path_factory.mktemp("reproduce") / how
            stages.train(build(images, populations, **tables), out, jobs=1, device="cpu", **options)
            made[how] = out
        return made[how]

    return get


MEMBERS = [(how, population["name"]) for how, (populations, *_) in HOW.items() for population in populations]


@pytest.mark.parametrize(("how", "population"), MEMBERS)
def test_a_member_is_reproduced_bit_for_bit(
    trained: Callable[[str], Path], how: str, population: str
) -> None:
    out = trained(how)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    verdict = stages.reproduce(out, f"{population}/0001")
    assert verdict.identical
    stored = Member(out / f"members/{population}/0001.safetensors")
    assert verdict.differing == {layer.name: (0, layer.size) for layer in stored.layers}
    assert verdict.same_weights
    assert verdict.accuracy == (stored.facts["accuracy"]["test"],) * 2
    size = sum(layer.size for layer in stored.layers)
    expected = f"{population}/0001: bit-identical, {size} mask bits in {len(stored.layers)} layers"
    assert verdict.text() == expected
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write a member file again with other facts, every checksum right."""
    reader = container.Reader(path)
    document = json.loads(json.dumps(reader.document))
    change(document)
    tensors = {name: reader.tensor(name) for name in reader.names()}
    path.write_bytes(container.encode(document, tensors))


@pytest.fixture
def copied(trained: Callable[[str], Path], tmp_path: Path) -> Path:
    """A directory of its own, to be changed."""
    shutil.copytree(trained("vmap"), tmp_path / "copy")
    return tmp_path / "copy"


def test_a_member_whose_seed_was_changed_differs(copied: Path, cli: Cli) -> None:
    path = copied / "members/biprop/0001.safetensors"
    edited(path, lambda facts: facts["seeds"].update(study=9))
    code, out, err = cli("reproduce", copied, "biprop/0001")
    assert code == 1
    first, *rest = out.splitlines()
    verdict = stages.reproduce(copied, "biprop/0001")
    bits, size = (sum(pair[at] for pair in verdict.differing.values()) for at in (0, 1))
    assert 0 < bits < size
    assert f"biprop/0001: differs in {bits} of {size} mask bits (Hamming {bits / size:.6f})" in first
    assert "base weights differ" in first
    own = [f"  {name}: {n} of {of}" for name, (n, of) in verdict.differing.items() if n]
    assert rest == own
    assert "Traceback" not in err


def test_how_far_a_member_is_counts_its_bits(copied: Path) -> None:
    """Against the masks of a member that was trained with the rate that the edited file claims."""
    path, before = copied / "members/edge-popup/0000.safetensors", {}
    for name, mask in Member(path).mask().items():
        before[name] = mask
    edited(path, lambda facts: facts["training"].update(learning_rate=1.5))
    verdict = stages.reproduce(copied, "edge-popup/0000")
    assert not verdict.identical
    assert verdict.same_weights
    raw = json.loads((copied / "study.json").read_text())
    recipe = {**raw["training"], "learning_rate": 1.5}
    again = build(Path(raw["data"]["path"]), [POPULATIONS[1]], training=recipe)
    assert again.population[0].name == "edge-popup"
    stages.train(again, copied / "again", jobs=1, device="cpu", engine="vmap")
    now = Member(copied / "again/members/edge-popup/0000.safetensors").mask()
    assert verdict.differing == {n: (int(np.sum(before[n] != now[n])), now[n].size) for n in now}


def test_another_torch_is_said(copied: Path, cli: Cli) -> None:
    path = copied / "members/biprop/0000.safetensors"
    edited(path, lambda facts: facts["cohort"].update(torch="1.0"))
    code, out, _ = cli("reproduce", copied, "biprop/0000")
    assert code == 0
    assert "bit-identical" in out
    assert "(trained with torch 1.0, here " in out


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("biprop/0007", "biprop/0007.safetensors does not exist"),
        ("nothing/0000", "nothing/0000.safetensors does not exist"),
        ("biprop", "'biprop' is not a member id"),
        ("../biprop/0000", "'../biprop/0000' is not a member id"),
    ],
)
def test_an_unknown_member_is_one_line(copied: Path, cli: Cli, member: str, message: str) -> None:
    code, out, err = cli("reproduce", copied, member)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_no_study_is_one_line(tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("reproduce", tmp_path / "none", "biprop/0000")
    assert (code, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize("damage", ["header", "mask", "origin", "truncated"])
def test_a_damaged_member_is_one_line(copied: Path, cli: Cli, damage: str) -> None:
    path = copied / "members/biprop+recycle/0000.safetensors"
    reader, data = container.Reader(path), bytearray(path.read_bytes())
    if damage == "truncated":
        del data[-1]
    else:
        begin, _ = reader._spans["mask/fc1" if damage == "mask" else "origin/fc2"]
        data[50 if damage == "header" else reader._start + begin] ^= 4
    path.write_bytes(bytes(data))
    code, out, err = cli("reproduce", copied, "biprop+recycle/0000")
    assert (code, out) == (2, "")
    assert "biprop+recycle/0000.safetensors" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_file_that_does_not_say_how_it_was_trained(copied: Path, cli: Cli) -> None:
    for change, message in (
        (lambda facts: facts["cohort"].pop("engine"), "field 'cohort.engine' is missing"),
        (lambda facts: facts["cohort"].update(indices=[0]), "its cohort does not hold it"),
    ):
        path = copied / "members/biprop/0001.safetensors"
        before = path.read_bytes()
        edited(path, change)
        code, _, err = cli("reproduce", copied, "biprop/0001")
        assert code == 2
        assert message in err
        path.write_bytes(before)


def test_other_data_is_refused(trained: Callable[[str], Path], tmp_path: Path) -> None:
    write_images(tmp_path / "other", train=60)
    shutil.copytree(trained("vmap"), tmp_path / "copy")
    record = json.loads((tmp_path / "copy/study.json").read_text())
    record["data"]["path"] = str(tmp_path / "other")
    (tmp_path / "copy/study.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="is not the one that biprop/0000 was trained on"):
        stages.reproduce(tmp_path / "copy", "biprop/0000")
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(DataError):
        stages.reproduce(tmp_path / "copy", "biprop/0000")


def test_members_are_reproduced_after_the_study_has_grown(images: Path, tmp_path: Path) -> None:
    small = [{"pruner": "biprop+iterand", "name": "p", "density": 0.5, "members": 3}]
    grown = [{**small[0], "members": 5}, {"pruner": "edge-popup", "name": "q", "density": 0.1}]
    for populations in (small, grown):
        stages.train(build(images, populations), tmp_path, jobs=1, device="cpu", engine="vmap")
    assert len(member_bytes(tmp_path)) == 7
    for member in ("p/0000", "p/0002", "p/0003", "p/0004", "q/0001"):
        assert stages.reproduce(tmp_path, member).identical
