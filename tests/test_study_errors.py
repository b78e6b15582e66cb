import re
from pathlib import Path

import pytest

from masklab import study
from masklab.errors import ConfigError

HEAD = '[[population]]\npruner = "biprop"\n'
ONE = HEAD + "density = 0.5\n"


def _refused(tmp_path: Path, text: str | bytes, changes: dict[str, str] | None = None) -> str:
    file = tmp_path / "tiny.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        study.read(file, changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


POPULATIONS = [
    ("density = 0", "population.1.density: .*greater than 0, got 0"),
    ("density = 1.0001", "population.1.density: .*less than or equal to 1, got 1.0001"),
    ("density = -1", "population.1.density: .*greater than 0, got -1"),
    ("density = nan", "population.1.density: .*finite number, got nan"),
    ("density = inf", "population.1.density: .*finite number, got inf"),
    ('density = "0.5"', "population.1.density: .*valid number, got '0.5'"),
    ("density = true", "population.1.density: .*valid number, got True"),
    ("members = 3", "population.1.density: field required"),
    *(
        (f"density = 0.5\nmembers = {members}", f"population.1.members: .*, got {got}$")
        for members, got in (("0", "0"), ("-3", "-3"), ("1.5", "1.5"), ("true", "True"), ('"3"', "'3'"))
    ),
    *(
        (
            f"density = 0.5\nname = {name!r}",
            rf"population.1.name: string should match pattern '\^.*, got '{name}'",
        )
        for name in ("a/b", "..", ".a", "Abc", "<script>", "", "a b", "é")
    ),
    ('density = 0.5\nname = "a\\n"', "population.1.name: string should match pattern"),
    (f"density = 0.5\nname = {'a' * 101!r}", "population.1.name: .*at most 100 characters"),
    ("density = 0.5\nname = 3", "population.1.name: .*valid string, got 3"),
    ("density = 0.5\ndencity = 0.5", r"unknown key 'dencity' \(did you mean 'density'\?\); known: "),
    ("density = 0.5\nrate = 0.1", "'biprop-d0.5': unknown key 'rate'; known: .*members"),
    ('density = 0.5\nweight_init = "kaiming"', r"unknown weight_init 'kaiming' .*known: kaiming-normal"),
    ('density = 0.5\nweight_init = ["x"]', r"unknown weight_init .*known: kaiming-normal"),
    (
        'density = 0.5\nscore_init = "zero"',
        "'biprop-d0.5': unknown score_init 'zero'; known: kaiming-uniform",
    ),
    ('density = 0.5\nfan_scale = "x"', "unknown fan_scale 'x'; known: kept, none"),
    ('density = 0.5\nrank = "x"', "unknown rank 'x'; known: abs, signed"),
]


@pytest.mark.parametrize(("lines", "message"), POPULATIONS)
def test_a_bad_population_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    assert re.search(message, _refused(tmp_path, f"{HEAD}{lines}\n"))


PRUNERS = [
    ("biprob", "", r"unknown pruner 'biprob' \(did you mean 'biprop'\?\); known: biprop, biprop\+iterand"),
    ("Biprop", "", r"unknown pruner 'Biprop' \(did you mean 'biprop'\?\)"),
    ("biprop+", "", "unknown pruner 'biprop\\+'"),
    ("recycle", "", "unknown pruner 'recycle'"),
    ("<script>", "", "unknown pruner '<script>'"),
    ("biprop+recycle", "rate = 0", "rate: .*greater than 0, got 0"),
    ("biprop+recycle", "rate = 1.5", "rate: .*less than or equal to 1, got 1.5"),
    ("biprop+iterand", "rate = nan", "rate: .*finite number, got nan"),
    ("biprop+iterand", "period = 0", "period: .*greater than or equal to 1, got 0"),
    ("biprop+iterand", "period = 2.0", "period: .*valid integer, got 2.0"),
    ("biprop+iterand", "period = 19", "no iterand event would fire in 20 epochs with a period of 19"),
    ("biprop+recycle", "raet = 0.1", r"unknown key 'raet' \(did you mean 'rate'\?\); known: .*period"),
    ("biprop+recycle", 'gate = "biprop"', "unknown key 'gate'"),
    ("random", "rate = 0.1", "unknown key 'rate'.*known: .*gate"),
    (
        "random",
        'gate = "bipro"',
        r"unknown gate 'bipro' \(did you mean 'biprop'\?\); known: biprop, edge-popup",
    ),
]


@pytest.mark.parametrize(("pruner", "line", "message"), PRUNERS)
def test_a_bad_pruner_or_option_is_refused(tmp_path: Path, pruner: str, line: str, message: str) -> None:
    text = f'[[population]]\npruner = "{pruner}"\ndensity = 0.2\n{line}\n'
    assert re.search(message, _refused(tmp_path, text))


STUDIES: list[tuple[str, str]] = [
    ("", "tiny.toml: population: field required"),
    ("population = {}", r"population: .*valid list, got \{\}"),
    ("population = []", "population: .*at least 1 item"),
    ("population = [3]", "population.1: .*got 3"),
    ("study = 3", r"study must be a table: \[study\]"),
    ("training = 3\n" + ONE, "training: .*got 3"),
    ("a = = 3", "tiny.toml is not TOML: .*line 1"),
    ("a = " + "[" * 100_000, "is not TOML"),
    ("a = " + "1" * 5000, "is not TOML"),
    (ONE + ONE, "population 'biprop-d0.5': two populations have this id; give one of them another `name`"),
    ("[[popluation]]\nx = 1\n", r"unknown key 'popluation' \(did you mean 'population'\?\)"),
    ("[trainig]\nepochs = 2\n" + ONE, r"unknown key 'trainig' \(did you mean 'training'\?\)"),
    ("[training]\nepoch = 2\n" + ONE, r"unknown key 'training.epoch' \(did you mean 'training.epochs'\?\)"),
    ("[training]\nepochs = 0\n" + ONE, "training.epochs: .*greater than or equal to 1, got 0"),
    ("[training]\nlearning_rate = inf\n" + ONE, "training.learning_rate: .*finite number, got inf"),
    ('[training]\nrank = "x"\n' + ONE, "training.rank: .*'abs' or 'signed', got 'x'"),
    ('[training]\nweight_init = "x"\n' + ONE, "training: unknown weight_init 'x'; known: kaiming-normal"),
    ('[training]\nscore_init = "x"\n' + ONE, "training: unknown score_init 'x'; known: kaiming-uniform"),
    ('[training]\nfan_scale = "keep"\n' + ONE, "training: unknown fan_scale 'keep'.*known: kept, none"),
    ('[network]\nname = "conv3"\n' + ONE, "network.name: unknown network 'conv3'.*known: conv2"),
    (
        '[network]\nactivation = "rleu"\n' + ONE,
        "network.activation: unknown activation 'rleu'.*known: binary",
    ),
    ("[network]\nwidth = 0\n" + ONE, "network.width: .*greater than 0, got 0"),
    ("[data]\nvalidation_fraction = 1\n" + ONE, "data.validation_fraction: .*less than 1, got 1"),
    *(
        (f"[seeds]\nweights = {level}\n{ONE}", 'seeds.weights: .*whole number from 1, or "member", got ')
        for level in ("0", "-1", "true", "1.0", '"members"', "[3]")
    ),
    ("[seeds]\nstudy = -1\n" + ONE, "seeds.study: .*got -1"),
    ("[seeds]\ncrossed = true\n" + ONE + "members = 8\n", "members = 8, but the crossed seeds make 3"),
    ('[study]\nname = ""\n' + ONE, "study.name: .*at least 1 character"),
]


@pytest.mark.parametrize(("text", "message"), STUDIES)
def test_a_bad_study_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert re.search(message, _refused(tmp_path, text))


def test_how_many_more_problems_there_are_is_said(tmp_path: Path) -> None:
    text = "[training]\nepochs = 0\nbatch_size = 0\n" + HEAD + "density = 0\n"
    assert _refused(tmp_path, text).endswith("got 0 (and 2 more)")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    assert "is not TOML: 'utf-8' codec" in _refused(tmp_path, b'name = "\xff"')


@pytest.mark.parametrize(("name", "message"), [("", "cannot read study file"), ("no.toml", "does not exist")])
def test_a_study_that_cannot_be_read_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study.read(tmp_path / name)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("epochs", "5", "--set epochs: expected TABLE.KEY=VALUE with one of the tables study, seeds, data"),
        ("training", "5", "--set training: expected TABLE.KEY=VALUE"),
        ("training.", "5", "--set training.: expected TABLE.KEY=VALUE"),
        ("trainig.epochs", "5", "--set trainig.epochs: expected TABLE.KEY=VALUE"),
        ("population.density", "0.5", "--set population.density: expected TABLE.KEY=VALUE"),
        ("training.epoch", "5", r"unknown key 'training.epoch' \(did you mean 'training.epochs'\?\)"),
        ("training.epochs", "five", "training.epochs: .*valid integer, got 'five'"),
        ("training.epochs", "", "training.epochs: .*valid integer, got ''"),
        ("training.epochs", "5.0", "training.epochs: .*valid integer, got 5.0"),
        ("training.epochs", "[1]", r"training.epochs: .*valid integer, got \[1\]"),
        ("training.epochs", "{a = 1}", "training.epochs: .*valid integer, got {'a': 1}"),
        ("training.epochs", "1979-05-27", "training.epochs: .*valid integer, got datetime.date"),
        ("training.epochs", "5\nother = 3", "training.epochs: .*valid integer, got '5"),
        ("training.epochs", "[" * 100_000, "training.epochs: .*valid integer, got '"),
        ("training.epochs", "1" * 5000, "training.epochs: .*valid integer, got '1"),
        ("training.learning_rate", "nan", "training.learning_rate: .*finite number, got nan"),
        ("data.path", "3", "data.path: .*valid string, got 3"),
    ],
)
def test_a_bad_set_is_refused(tmp_path: Path, field: str, text: str, message: str) -> None:
    assert re.search(message, _refused(tmp_path, ONE, {field: text}))


def test_set_refuses_a_table_that_is_none(tmp_path: Path) -> None:
    message = _refused(tmp_path, "training = 3\n" + ONE, {"training.epochs": "5"})
    assert "training must be a table: [training]" in message


@pytest.mark.parametrize("density", ["x", "", "0.5.1"])
def test_a_density_that_is_no_number_is_refused(density: str) -> None:
    with pytest.raises(ConfigError, match=r"--density: .*allowed: a number in \(0, 1\]"):
        study.from_options({}, ["biprop"], [density], {})
