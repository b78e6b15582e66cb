from pathlib import Path
from typing import Any

import pytest

from masklab.report import load, provenance

from . import builder
from .recipe import HOSTILE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("provenance")
    builder.build(folder, populations=2, members=2)
    return folder


@pytest.fixture
def results(folder: Path) -> dict[str, Any]:
    """What the folder holds, to be changed."""
    return builder.build(folder, populations=2, members=2)


def _rows(folder: Path, results: dict[str, Any]) -> list[tuple[str, str]]:
    builder.rewrite(folder, results)
    return provenance.rows(load.read(folder))


def test_everything_that_is_known_is_said(folder: Path, results: dict[str, Any]) -> None:
    results["input"] = "ef" * 32
    assert _rows(folder, results) == [
        ("command", "masklab train study.toml"),
        ("trained", "2025-03-03 01:02:03+00:00 – 2025-03-03 04:05:06+00:00"),
        ("analysed", "2025-03-04 05:06:07+00:00"),
        ("wall time", "train 1 h 30 min; analyze 33.0 s"),
        ("masklab", "0.1.0"),
        ("versions", "torch 2.15.0; numpy 2.4.0"),
        ("hardware", "cpu Example 9000; cores 16; memory_gib 128; platform Linux-x86_64"),
        ("plan", "engine vmap; precision fp32; device cpu; threads 1; torch 2.15.0"),
        ("git commit", "0123abcd" * 5 + ", with uncommitted changes"),
        (
            "seeds",
            "study 0; weights 2; scores member; batches member; augment member; refresh member; mask member; "
            "crossed no",
        ),
        ("data digest", "c1" * 32),
        ("recipe digest", "ab" * 32),
        ("population digests", f"edge-popup-d0.5 {'00' * 32}; biprop-d0.5 {'01' * 32}"),
        ("analysis input digest", "ef" * 32),
    ]


def test_what_is_not_known_is_left_out(folder: Path, results: dict[str, Any]) -> None:
    facts = results["study"]["provenance"]
    results["study"]["plan"], results["study"]["populations"] = None, []
    results["study"]["provenance"] = {"created": facts["created"], "versions": {}, "hardware": {}}
    labels = [label for label, _ in _rows(folder, results)]
    assert labels == ["trained", "analysed", "git commit", "seeds", "data digest", "recipe digest"]
    results["study"]["provenance"] |= {"wall_s": {"train": None, "analyze": 2.0}, "updated": facts["created"]}
    found = dict(_rows(folder, results))
    assert found["wall time"] == "analyze 2.0 s"
    assert found["trained"] == "2025-03-03 01:02:03+00:00"


@pytest.mark.parametrize(
    ("git", "said"),
    [
        (None, "no git repository"),
        ({"commit": "12ab", "dirty": False}, "12ab"),
        ({"commit": "12ab", "dirty": True}, "12ab, with uncommitted changes"),
        ({"commit": "12ab"}, "12ab"),
    ],
)
def test_git(folder: Path, results: dict[str, Any], git: Any, said: str) -> None:
    results["study"]["provenance"]["git"] = git
    assert dict(_rows(folder, results))["git commit"] == said


def test_earlier_runs_are_listed_one_by_one(folder: Path, results: dict[str, Any]) -> None:
    results["study"]["provenance"]["earlier"] = [
        {
            "created": "2025-01-01T00:00:00+00:00",
            "updated": "2025-01-02T03:04:05.678+00:00",
            "command": f"masklab train --name {HOSTILE}",
            "versions": {"masklab": "0.0.9"},
            "git": {"commit": "99", "dirty": True},
        },
        {"command": None, "versions": "odd", "git": "odd", "of a newer masklab": [1]},
    ]
    found = _rows(folder, results)
    assert found[-2:] == [
        (
            "earlier run",
            f"2025-01-02 03:04:05+00:00; masklab train --name {HOSTILE}; masklab 0.0.9; 99, with uncommitted "
            "changes",
        ),
        ("earlier run", "–; –; masklab –; no git repository"),
    ]
    assert [label for label, _ in found].count("earlier run") == 2


def test_options_of_populations_and_imports(folder: Path, results: dict[str, Any]) -> None:
    results["populations"][1]["refresh"] = "recycle"
    results["populations"][1]["options"] = {"rate": 0.2, "period": 3, "period_steps": None}
    results["study"]["recipe_digest"] = None
    found = dict(_rows(folder, results))
    assert found["options"] == "biprop-d0.5 (rate = 0.2, period = 3 epochs)"
    assert found["imported"] == "2025-03-03 01:02:03+00:00 – 2025-03-03 04:05:06+00:00"
    assert "recipe digest" not in found


def test_the_command_is_shown_as_it_was_given(folder: Path, results: dict[str, Any]) -> None:
    results["study"]["provenance"]["command"] = f"masklab train 'a b.toml' {HOSTILE}"
    found = _rows(folder, results)
    assert dict(found)["command"] == f"masklab train 'a b.toml' {HOSTILE}"
    assert not [said for _, said in found if str(folder) in said or str(Path.cwd()) in said]
    assert found == _rows(folder, results)
