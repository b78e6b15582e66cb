"""docs/results.md names every field, metric and test of a real analysis."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from masklab import analysis, stages, study
from tests.analysis import builder

TEXT = (Path(__file__).parents[1] / "docs/results.md").read_text(encoding="utf-8")


LANDSCAPE = ("landscape", "chains", "neighbourhood", "algebra", "transfer", "planes")


def _sections() -> dict[str, str]:
    parts = re.split(r"^### (.+)$", TEXT, flags=re.MULTILINE)
    return {
        key.strip(): body
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
        for key in title.split(",")
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    masks = builder.random_masks({"a": 0.5, "b": 0.3}, 6)
    snapshots = {f"a/{index:04d}": {1: builder.random_mask(index, 0.5)} for index in range(6)}
    folder = tmp_path_factory.mktemp("study")
    analysis.analyze(builder.build(folder, masks, draws=2, snapshots=snapshots))
    return json.loads((folder / "analysis" / "results.json").read_text())


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory, images: Path) -> dict[str, Any]:
    """Results of a trained study that has rows in every list of the landscape."""
    raw = {
        "study": {"name": "tiny", "snapshots": [0, 1]},
        "data": {"name": "imagefolder", "path": str(images), "validation_fraction": 0.25},
        "network": {"name": "mlp", "width": 0.05},
        "training": {"epochs": 2, "batch_size": 16},
        "seeds": {"weights": 1},
        "population": [{"pruner": "biprop", "density": 0.5, "members": 3}],
    }
    folder = tmp_path_factory.mktemp("trained")
    stages.train(study.build(raw), folder, jobs=1, device="cpu", engine="vmap")
    stages.analyze(folder, jobs=1, device="cpu")
    return json.loads((folder / "analysis" / "results.json").read_text())


def test_every_key_is_documented(results: dict[str, Any]) -> None:
    sections = _sections()
    for key, rows in results.items():
        if isinstance(rows, list):
            assert key in sections, key
        else:
            assert f"`{key}`" in TEXT, key


def _check_fields(results: dict[str, Any]) -> None:
    sections = _sections()
    for key, rows in results.items():
        for row in rows if isinstance(rows, list) else []:
            for name in row:
                assert _said(name, sections[key]), (key, name)
            for kind in ("metric", "test", "method", "code", "null", "path", "rule", "operation", "kind"):
                if isinstance(row.get(kind), str) and " " not in row[kind]:
                    assert _said(row[kind], sections[key]), (key, row[kind])


def _said(name: str, text: str) -> bool:
    """Whether a name stands in the text in code style, alone or in a form such as `{"name": …}`."""
    return f"`{name}`" in text or any(f'"{name}"' in code for code in re.findall(r"`[^`]+`", text))


def test_every_field_is_documented(results: dict[str, Any]) -> None:
    _check_fields(results)


def test_every_field_of_the_landscape_is_documented(landscape: dict[str, Any]) -> None:
    assert all(landscape[key] for key in LANDSCAPE)
    _check_fields(landscape)
    sections = _sections()
    work = landscape["landscape_work"]
    for name in (*work, *work["questions"][0], *work["stored_predictions"]):
        assert _said(name, sections["landscape_work"]), name
    first, plane = landscape["landscape"][0], landscape["planes"][0]
    for part in ("accuracy", "loss", "barrier", "over_images"):
        assert all(_said(name, sections["landscape"]) for name in first[part]), part
    for name in first["over_images"]["entezari_error"]:
        assert _said(name, sections["landscape"]), name
    assert all(_said(name, sections["planes"]) for name in (*plane["at"][0], *plane["distances"]))


def test_nothing_is_documented_that_is_not_there(results: dict[str, Any]) -> None:
    measured = ("overlap", "structure", "diversity", "movement")
    metrics = {row["metric"] for key in measured for row in results[key]}
    tables = re.findall(r"^\| (`[^|]+) \|", "".join(_sections()[k] for k in ("overlap", "structure")), re.M)
    for name in (name for cell in tables for name in re.findall(r"`(\w+)`", cell)):
        assert name in metrics, name
