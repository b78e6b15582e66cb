"""docs/results.md names every field, metric and test of a real analysis."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from masklab import analysis
from tests.analysis import builder

TEXT = (Path(__file__).parents[1] / "docs/results.md").read_text(encoding="utf-8")


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


def test_every_key_is_documented(results: dict[str, Any]) -> None:
    sections = _sections()
    for key, rows in results.items():
        if isinstance(rows, list):
            assert key in sections, key
        else:
            assert f"`{key}`" in TEXT, key


def test_every_field_is_documented(results: dict[str, Any]) -> None:
    sections = _sections()
    for key, rows in results.items():
        for row in rows if isinstance(rows, list) else []:
            for name in row:
                assert f"`{name}`" in sections[key], (key, name)
            for kind in ("metric", "test", "method", "code", "null"):
                if isinstance(row.get(kind), str) and " " not in row[kind]:
                    assert f"`{row[kind]}`" in sections[key], (key, row[kind])


def test_nothing_is_documented_that_is_not_there(results: dict[str, Any]) -> None:
    measured = ("overlap", "structure", "diversity", "movement")
    metrics = {row["metric"] for key in measured for row in results[key]}
    tables = re.findall(r"^\| (`[^|]+) \|", "".join(_sections()[k] for k in ("overlap", "structure")), re.M)
    for name in (name for cell in tables for name in re.findall(r"`(\w+)`", cell)):
        assert name in metrics, name
