"""Pages of masks that came from other tools: their source stands there, and what is not known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import analysis, report
from masklab.archive import Archive
from tests.archive.exchange import samples
from tests.conftest import TinyStudy

from . import dom

HOSTILE = "<b>mask & $x^{.npz"


def _masks(folder: Path, layers: dict[str, list[int]], number: int) -> list[Path]:
    random, places = np.random.RandomState(3), []
    folder.mkdir(exist_ok=True)
    for index in range(number):
        place = folder / (HOSTILE if index == 0 else f"{index}.npz")
        samples.savez(place, {name: random.random_sample(shape) < 0.5 for name, shape in layers.items()})
        places.append(place)
    return places


def _page(out: Path) -> dom.Node:
    analysis.analyze(Archive(out))
    return dom.parse(report.write([out], out / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def alone(tmp_path: Path) -> dom.Node:
    out = tmp_path / "alone"
    samples.take(out, *_masks(tmp_path / "files", {"conv": [4, 3, 3], "fc": [5, 16]}, 5))
    return _page(out)


@pytest.fixture
def mixed(tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path) -> dom.Node:
    out = tmp_path / "mixed"
    populations = ({"pruner": name, "members": 3} for name in ("edge-popup", "random"))
    train(tiny(*populations, training={"epochs": 1}, seeds={"weights": 1}), out)
    study = json.loads((out / "study.json").read_text())
    layers = {layer["name"]: layer["shape"] for layer in study["network"]["layers"]}
    samples.take(out, *_masks(tmp_path / "files", layers, 3), population="theirs")
    return _page(out)


def _summary(page: dom.Node) -> dict[str, str]:
    rows = [row for row in page.by_id("s1-summary").all("tr") if any(row.all("td"))]
    return {dom.part(next(row.all("th")), "text"): row.text() for row in rows}


def test_a_page_of_imported_masks_alone(alone: dom.Node) -> None:
    text = alone.text()
    assert "Data unknown. Network unknown: 2 masked layers with 116 weights." in text
    assert "No accuracy is known: all masks were imported" in text
    assert "Unknown (imported): what network and data the masks are for." in text
    for said in ("Base weights are drawn at random", "All populations share one recipe", "None"):
        assert said not in text
    assert "the members of such a population count as one draw of their own" in text
    table = alone.by_id("s1-imported").text()
    for said in ("arrays", HOSTILE, "not known", "seeds, accuracy, predictions, data, network, training"):
        assert said in table
    assert not list(alone.by_id("s1-imported").all("b"))
    labels = [node.text() for node in alone.all("dt")]
    assert "imported" in labels
    assert "trained" not in labels
    for figure in ("distances", "layers", "embeddings", "matrices"):
        assert any(alone.by_id(f"s1-{figure}").all("svg"))


def test_imported_masks_beside_trained_ones(mixed: dom.Node) -> None:
    summary = _summary(mixed)
    assert list(summary) == ["edge-popup-d0.5", "random-d0.5", "theirs"]
    assert "accuracy is unknown (imported)" in summary["theirs"]
    assert "imported (arrays)" in summary["theirs"]
    assert "untrained" not in summary["theirs"]
    assert "unknown" not in summary["edge-popup-d0.5"]
    text = mixed.text()
    assert "Untrained controls (random-d0.5) score near chance" in text
    assert "Imported: theirs. Their masks are other tools'" in text
    assert "All populations share one recipe" in text
    assert "every stored member whose accuracy is known is a point" in text
    members = [row.text() for row in mixed.by_id("s1-members").all("tr") if "theirs/" in row.text()]
    assert len(members) == 3
    assert all("–" in row for row in members)
    codes = [node.text() for node in mixed.all("code")]
    assert codes.count("unknown-weights") == codes.count("imported") == 1


def test_imported_masks_are_none_that_were_trained(mixed: dom.Node) -> None:
    """What is said of trained masks leaves them out."""
    (message,) = [node.text() for node in mixed.by_id("s1-distances").all("p") if node.has("message")]
    assert message.startswith("Masks of pruners that share base weights overlap")
    assert "theirs" not in message
    references = mixed.by_id("references").text()
    assert "no such pruner" not in references
    assert "edge-popup" in references


def test_a_page_of_trained_masks_has_no_word_of_it(
    tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path
) -> None:
    train(tiny({"pruner": "random"}, training={"epochs": 1}), tmp_path / "out")
    page = _page(tmp_path / "out")
    assert "Imported" not in page.text()
    assert "(imported)" not in page.text()
    assert not [node for node in page.all() if node.attributes.get("id") == "s1-imported"]
