from pathlib import Path
from typing import Any, NamedTuple

import pytest

from masklab import report

from . import builder, dom, recipe, variants, walked


class Page(NamedTuple):
    """A written page, and what it was written from."""

    study: Path
    path: Path
    results: dict[str, Any]
    html: str
    root: dom.Node


def _page(folder: Path, results: dict[str, Any]) -> Page:
    path = report.write([folder], folder / "report.html")
    html = path.read_text(encoding="utf-8")
    return Page(folder, path, results, html, dom.parse(html))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Three populations of six members over two draws of base weights."""
    folder = tmp_path_factory.mktemp("plain")
    return _page(folder, builder.build(folder, landscape=True))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Markup and `$` in every text that a user can choose."""
    folder = tmp_path_factory.mktemp("hostile")
    return _page(folder, builder.build(folder, hostile=True, landscape=True))


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """One population of one member: no spread, no pairs, no embedding, no landscape."""
    folder = tmp_path_factory.mktemp("single")
    return _page(folder, builder.build(folder, populations=1, members=1, draws=1))


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Two studies on one page, the second with populations that the first has too."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    results = builder.build(first, populations=2, members=3)
    builder.build(second, populations=3, members=4, name="the-other", seed=1)
    path = report.write([first, second], first / "both.html")
    html = path.read_text(encoding="utf-8")
    return Page(first, path, results, html, dom.parse(html))


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Everything that is not in every study: controls, a reference, norms, an unusual recipe, its warning."""
    folder = tmp_path_factory.mktemp("full")
    results = builder.build(folder, populations=7, members=3, hostile=True, landscape=True)
    variants.add_reference(results)
    study = results["study"]
    study["network"].update(
        name="torchvision:resnet18",
        width=1.0,
        batchnorm="learned",
        mask_only=["conv*", "fc?"],
        mask_except=["<b>stem"],
        unmasked=recipe.UNMASKED,
        buffers=[["bn1.running_mean", [16]], ["bn1.running_var", [16]]],
    )
    study["training"].update(
        optimizer="adam",
        schedule="cosine-step",
        warmup_epochs=5,
        label_smoothing=0.1,
        selection="global",
        ramp_epochs=1,
        weight_init="uniform",
    )
    walked.reestimate(results)
    results["populations"][1]["overrides"] = {"fan_scale": "reference"}
    results["populations"][2]["options"] = {"rate": 0.1, "period": None, "period_steps": 300}
    results["warnings"].append(
        {"code": "reference-fan-scale", "text": "its fan is replicated", "where": "biprop-d0.5"}
    )
    builder.rewrite(folder, results)
    return _page(folder, results)


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """So many members that nothing which needs all pairs was measured."""
    folder = tmp_path_factory.mktemp("linear")
    results = builder.build(folder, landscape=True)
    variants.without_pairs(results)
    builder.rewrite(folder, results)
    (folder / "analysis" / "overlap.npz").unlink()
    return _page(folder, results)
