from pathlib import Path
from typing import Any

import pytest

from masklab import report
from masklab.report import models, recipe

from . import builder, dom, variants
from .conftest import Page
from .recipe import HOSTILE_LAYER, REFERENCE, UNMASKED


def _write(folder: Path, results: dict[str, Any]) -> dom.Node:
    builder.rewrite(folder, results)
    return dom.parse(report.write([folder], folder / "report.html").read_text(encoding="utf-8"))


def _flags(root: dom.Node) -> list[dom.Node]:
    return [node for node in root.all("div") if node.has("flag")]


def test_unusual_recipe_is_named(full: Page) -> None:
    text = full.root.text()
    for wanted in (
        "optimiser Adam",
        "first decay rate 0.9; weight decay 0.0001; schedule cosine, set at every step",
        "linear warm-up over 5 epochs",
        "label smoothing 0.1",
        "selection global (weights are ranked over all layers together",
        "densities below one half reached from there over 1 epoch, along a cubic [zhu2017prune];",
        "weight init uniform",
        "(rate = 0.1, period = 300 steps)",
        "engine vmap; precision fp32; device cpu; threads 1; torch 2.15.0",
    ):
        assert wanted in text, wanted
    assert "period_steps" not in text


def test_plain_recipe_says_nothing_of_what_it_lacks(plain: Page) -> None:
    text = plain.root.by_id("s1-methods").text()
    assert "optimiser SGD" in text
    assert "schedule cosine, set once per epoch" in text
    for absent in ("warm-up", "smoothing", "selection", "ramp", "Batch norm", "Not masked", "not masked"):
        assert absent not in text, absent
    assert _flags(plain.root) == []


def test_network_says_what_is_not_masked(full: Page) -> None:
    text = full.root.text()
    for wanted in (
        "Network torchvision:resnet18: 6 masked layers with",
        "weights (9 further tensors of weights not masked). 8 populations",
        "scale and shift are learned with the masks.",
        "The study masks only layers that match conv*, fc? and do not match <b>stem.",
        "Not masked: stem (frozen random weights, every one of them used); block0.class_token, ",
        "block5.class_token and 2 more (frozen as the network's constructor initialised it).",
        "Biases and norms: 1 parameter held at 0; 1 parameter learned with the masks, from 1.",
    ):
        assert wanted in text, wanted
    table = full.root.by_id("s1-unmasked")
    cells = [[dom.part(cell, "text") for cell in row] for row in dom.rows(table)]
    assert [row[0] for row in cells] == [parameter["name"] for parameter in UNMASKED]
    assert cells[0][1:] == ["16 × 3 × 3 × 3", "432", "frozen random weights, every one of them used"]
    assert cells[-2][1:] == ["1", "1", "learned with the masks, from 1"]
    assert any(table in list(node.all()) for node in full.root.all("details"))


def test_frozen_batch_norm_and_an_unknown_rule(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=1, members=2)
    results["study"]["network"].update(
        name="mypkg.nets:make",
        width=0.5,
        activation="binary",
        mask_except=["head"],
        unmasked=[{"name": "odd", "shape": [2], "rule": "<i>other"}],
        buffers=[{"name": "bn.running_mean", "shape": [4]}],
    )
    root = _write(tmp_path, results)
    text = root.text()
    assert "Network mypkg.nets:make at width 0.5, binary:" in text
    assert "scale and shift are fixed at 1 and 0." in text
    assert "The study masks only layers that do not match head." in text
    assert "Activations are binary" in text
    assert "Not masked:" not in text
    ((*_, rule),) = dom.rows(root.by_id("s1-unmasked"))
    assert dom.part(rule, "text") == "<i>other"


def test_hostile_layer_names_stay_text(hostile: Page) -> None:
    drawn = [node.text() for node in hostile.root.by_id("s1-layers").all("text")]
    assert drawn.count(HOSTILE_LAYER) == 2
    assert not list(hostile.root.all("b"))


def test_reference_fan_is_flagged_before_the_numbers(full: Page) -> None:
    (flag,) = _flags(full.root)
    assert recipe.FAN_NOTE in flag.text()
    assert "For replication only: biprop-d0.5" in flag.text()
    assert "its fan is replicated (biprop-d0.5) reference-fan-scale" in flag.text()
    others = [node for node in full.root.all("div") if node.has("warnings") and not node.has("flag")]
    assert [("reference-fan-scale" in node.text(), "few-draws" in node.text()) for node in others] == [
        (False, True)
    ]
    assert full.html.index('class="warnings flag"') < full.html.index('class="warnings"')
    assert full.html.index('class="warnings flag"') < full.html.index('id="s1-summary"')
    marks = {
        dom.part(row[0], "text"): dom.part(row[0], "detail")
        for row in dom.rows(full.root.by_id("s1-summary"))
    }
    assert [name for name, mark in marks.items() if "replication only" in mark] == ["biprop-d0.5"]


def test_reference_fan_of_the_whole_study_needs_no_warning(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=2)
    results["study"]["training"]["fan_scale"] = "reference"
    results["populations"][1]["overrides"] = {"fan_scale": "kept"}
    results["warnings"] = [{"code": recipe.REFERENCE_FAN, "text": recipe.FAN_NOTE, "where": "training"}]
    root = _write(tmp_path, results)
    (flag,) = _flags(root)
    assert "For replication only: edge-popup-d0.5" in flag.text()
    assert "biprop" not in flag.text()
    assert flag.text().count(recipe.FAN_NOTE) == 1
    assert "fan scale reference (the fan times 1 − density, the fraction removed)" in root.text()
    assert [node for node in root.all("div") if node.has("warnings")] == [flag]


def test_only_populations_that_a_warning_names_are_flagged(tmp_path: Path) -> None:
    """Controls that train their weights are drawn without the factor, whatever the recipe says."""
    results = builder.build(tmp_path, populations=2, members=2)
    results["study"]["training"]["fan_scale"] = "reference"
    variants.add_reference(results)
    results["warnings"] += [
        {"code": recipe.REFERENCE_FAN, "text": f"factor of {row['name']}", "where": row["name"]}
        for row in results["populations"][:2]
    ]
    root = _write(tmp_path, results)
    (flag,) = _flags(root)
    assert "For replication only: edge-popup-d0.5, biprop-d0.5\n" in flag.text()
    assert "factor of biprop-d0.5 (biprop-d0.5)" in flag.text()
    marks = [dom.part(row[0], "detail") for row in dom.rows(root.by_id("s1-summary"))]
    assert ["replication only" in mark for mark in marks] == [True, True, False]


def test_untrained_controls_and_the_reference_are_marked(full: Page) -> None:
    rows = {dom.part(row[0], "text"): row for row in dom.rows(full.root.by_id("s1-summary"))}
    assert dom.part(rows["random-d0.5"][0], "detail") == "untrained control"
    assert "best epoch" not in rows["random-d0.5"][3].text()
    assert dom.part(rows["biprop+iterand-d0.5"][0], "detail") == "5 refreshes"
    reference = rows[REFERENCE]
    assert dom.part(reference[0], "detail") == "accuracy reference, outside every overlap"
    assert dom.part(reference[3], "text").startswith("91.10 ± ")
    for column in (4, 5, 6):
        assert dom.part(reference[column], "detail") == "outside every overlap"
    (caption,) = full.root.by_id("s1-accuracy").all("figcaption")
    assert caption.text().count("Untrained controls (random-d0.5) score near chance by nature") == 1
    assert "chance is 1/10 = 10 %." in caption.text()
    assert f"Accuracy reference, outside every overlap: {REFERENCE}." in caption.text()
    labels = [node.text() for node in full.root.by_id("s1-accuracy").all("text")]
    assert labels[labels.index(REFERENCE) + 1] == "accuracy reference"
    assert labels[labels.index("random-d0.5") + 1] == "untrained control"
    for name in ("distances", "layers", "embeddings", "interpolation", "matrices", "movement"):
        assert REFERENCE not in [node.text() for node in full.root.by_id(f"s1-{name}").all("text")], name
    members = {
        dom.part(row[0], "text"): dom.part(row[0], "detail")
        for row in dom.rows(full.root.by_id("s1-members"))
    }
    assert members[f"{REFERENCE}/0001"] == "accuracy reference"
    assert members["random-d0.5/0000"] == "untrained control"
    assert members["biprop-d0.5/0000"] == ""
    for wanted in ("Control random: Untrained:", "Control dense: Dense training of the weights"):
        assert wanted in full.root.text()


def test_a_study_of_references_alone(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=1, members=2)
    variants.add_reference(results, members=4)
    variants.clear(results)
    for key in ("populations", "members", "accuracy"):
        results[key] = [row for row in results[key] if REFERENCE in (row.get("name"), row.get("population"))]
    (tmp_path / "analysis" / "overlap.npz").unlink()
    root = _write(tmp_path, results)
    for name in ("distances", "layers", "embeddings", "matrices"):
        assert (
            "(accuracy references do not count: they are compared with nothing)."
            in root.by_id(f"s1-{name}").text()
        )
    assert list(root.by_id("s1-accuracy").all("svg"))
    assert len(dom.rows(root.by_id("s1-members"))) == 4
    assert "Untrained" not in root.text()


def test_results_from_before_these_keys_give_a_page(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=7, members=2)
    variants.make_old(results)
    root = _write(tmp_path, results)
    text = root.text()
    assert "How masks move" not in text
    assert "optimiser" not in text
    assert "schedule cosine, set once per epoch" in text
    assert "Untrained controls (random-d0.5) score near chance by nature" in text
    assert "plan" not in [node.text() for node in root.all("dt")]
    assert "conv4 at width 0.5, relu" in text


def _population(**fields: Any) -> models.Population:
    row = {
        "name": "p",
        "pruner": "biprop+recycle",
        "refresh": "recycle",
        "density": 0.5,
        "members": 1,
        "stored": 1,
        "failed": 0,
        "blocks": 1,
        "size": 10,
        "kept": 4.5,
        "options": {},
        "overrides": {},
        "refresh_events": None,
        **fields,
    }
    return models.Population.model_validate(row)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"options": {"period": 3, "rate": 0.1}}, "period = 3 epochs, rate = 0.1"),
        ({"options": {"period": 1, "period_steps": None}}, "period = 1 epoch"),
        ({"options": {"period_steps": 300, "source": "kept"}}, "period = 300 steps, source = kept"),
        ({"options": {"period": 7, "of": "p"}, "refresh": None}, "period = 7, of = p"),
        ({}, ""),
    ],
)
def test_options_in_words(fields: dict[str, Any], wanted: str) -> None:
    assert recipe.options(_population(**fields)) == wanted


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, ""),
        ({"control": "random"}, "untrained control"),
        ({"control": "magnitude", "trained": True}, ""),
        ({"trained": False}, "untrained"),
        ({"control": "dense", "trained": True, "compared": False}, "accuracy reference"),
    ],
)
def test_marks(fields: dict[str, Any], wanted: str) -> None:
    assert recipe.mark(_population(**fields)) == wanted
