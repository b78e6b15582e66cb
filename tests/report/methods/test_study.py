import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.report import recipe

from .. import builder, variants
from ..recipe import HOSTILE_LAYER
from . import said

Results = dict[str, Any]


def test_paragraphs_are_whole_sentences(folder: Path, results: Results) -> None:
    found = said.of(folder, results)
    assert list(found) == [
        *("Data and network", "Masks and pruners", "Training", "Seeds", "Accuracy", "Overlap", "Tests"),
        *("Function", "Diversity", "Embeddings", "Structure", "Movement", "Landscape", "Paths"),
        *("Neighbourhoods, sets and planes", "Findings", "Software"),
    ]
    for text in found.values():
        assert text.endswith(".")
        assert not re.search(r"  |\.\.|;\.|: \.|\bNone\b|\bnan\b|—|\[\]", text), text
    assert found == said.of(folder, results)


def test_data_network_and_recipe(folder: Path, results: Results) -> None:
    text = said.of(folder, results)
    assert text["Data and network"] == (
        "Data set cifar10 [krizhevsky2009tiny]: 45,000 training, 5,000 validation and 10,000 test images, "
        "3 × 32 × 32, 10 classes. The validation images are held out of the training images, classes "
        "in proportion, the same for every member. Channels are normalised by their mean and standard "
        "deviation over all training images. Network conv4 at width 0.5, relu [frankle2019lottery]: 6 masked "
        "layers with 36,562 weights."
    )
    assert text["Training"] == (
        "All populations share one recipe: epochs 20; batch size 128; optimiser SGD; learning rate 0.1; "
        "momentum 0.9; weight decay 0.0001; schedule cosine, set once per epoch [loshchilov2017sgdr]; "
        "augment crop-flip (images are padded by 4 zero pixels, cut to their size at a random place, and "
        "half of them mirrored left to right); weight init kaiming-normal, N(0, 2 ÷ fan) [he2015delving]; "
        "fan scale none; score init uniform, U(±1 ÷ √fan); rank magnitude. The loss is the cross-entropy. "
        "The fan of a layer is the number of inputs of one of its outputs."
    )


@pytest.mark.parametrize(
    ("name", "cited"),
    [
        ("mlp", " [lecun1998gradient]"),
        ("conv8", " [ramanujan2020hidden]"),
        ("torchvision:resnet50", " [he2016residual, torchvision2016]"),
        ("torchvision:vgg11", " [torchvision2016]"),
        ("mypkg.nets:make", ""),
    ],
)
def test_networks_cite_their_sources(folder: Path, results: Results, name: str, cited: str) -> None:
    results["study"]["network"]["name"] = name
    results["study"]["data"] |= {"name": "mine", "validation": 0}
    text = said.of(folder, results)["Data and network"]
    assert re.search(rf"Network {re.escape(name)} at width 0\.5(, relu)?{re.escape(cited)}: 6 masked", text)
    assert "Data set mine: 45,000 training and 10,000 test images" in text
    assert "validation" not in text


def test_running_statistics_of_what_was_not_trained(folder: Path, results: Results) -> None:
    results["study"]["network"]["buffers"] = [["bn1.running_mean", [16]]]
    text = said.of(folder, results)["Data and network"]
    assert "scale and shift are fixed at 1 and 0." in text
    assert "masks that were not trained (random-d0.5) are plain means over the training batches" in text


def test_rules_are_those_of_the_files_and_options_those_of_the_study(folder: Path, results: Results) -> None:
    results["populations"][4]["options"] = {"rate": 0.25, "period": 1, "period_steps": None}
    results["populations"][5]["options"] = {"rate": 0.1, "period": None, "period_steps": 300, "new": [1, 2]}
    results["populations"][6]["options"] = {"gate": "biprop"}
    results["populations"][2]["density"] = 0.3
    text = said.of(folder, results)["Masks and pruners"]
    for wanted in (
        "Density is the fraction of weights kept: 0.50 (50 % pruned), 0.30 (70 % pruned).",
        "In every layer, ⌊n · density + ½⌋ of its n weights are kept, at least one.",
        "Gate edge-popup: Kept weights act as they are; pruned weights are zero [ramanujan2020hidden].",
        "the mean magnitude of the kept weights [diffenderfer2021multiprize].",
        "Refresh recycle: Weight Recycling: the highest-ranked weights are copied",
        "from the initial distribution now and then [chijiwa2021randomization].",
        "Control random: Untrained: a uniformly random mask",
        "Base weights stay as they were drawn, but for what refreshes replace.",
        "biprop+recycle-d0.5, edge-popup+recycle-d0.5: rate = 0.2 (share of a layer's weights that an event "
        "overwrites); events 3 epochs apart, none after the first or the last epoch (5 per member).",
        "edge-popup+iterand-d0.5: rate = 0.25 (probability with which an event redraws a pruned weight); an "
        "event after every epoch but the first and the last (5 per member).",
        "biprop+iterand-d0.5: rate = 0.1 (probability with which an event redraws a pruned weight); an event "
        "before every 300th step (5 per member); new = 1, 2.",
        "random-d0.5: gate = biprop (gate that turns the mask into effective weights).",
        "Otherwise than the recipe: edge-popup-d0.5 (weight init signed-constant, √(2 ÷ fan) with random "
        "signs [ramanujan2020hidden]).",
    ):
        assert wanted in text, wanted
    assert text.count("Gate edge-popup:") == 1
    assert "global" not in text


def test_selection_over_the_whole_network(folder: Path, results: Results) -> None:
    results["study"]["training"]["selection"] = "global"
    results["populations"][0]["overrides"] = {"selection": "layer"}
    text = said.of(folder, results)["Masks and pruners"]
    assert "In every layer, ⌊n" in text
    assert "Under global selection, ⌊n · density + ½⌋ of all n weights are kept, at least one" in text
    assert "edge-popup-d0.5 (selection layer)" in text
    results["populations"] = results["populations"][1:3]
    variants.clear(results)
    results["members"] = [row for row in results["members"] if row["population"] == "biprop-d0.5"]
    (folder / "analysis" / "overlap.npz").rename(folder / "kept.npz")
    try:
        results["without_pairs"], results["accuracy"] = "too many", []
        assert "In every layer" not in said.of(folder, results)["Masks and pruners"]
    finally:
        (folder / "kept.npz").rename(folder / "analysis" / "overlap.npz")


@pytest.mark.parametrize(
    ("changed", "wanted", "absent"),
    [
        (
            {},
            "member i having draw i modulo their number: base weights (2 draws). Drawn for each member and "
            "so nested in the draws that are shared: initial scores, order of the training images, "
            "augmentation, what refreshes draw, masks of untrained controls.",
            "Crossed",
        ),
        (
            {"weights": 2, "scores": 3, "batches": 1, "crossed": True},
            "so that members are all combinations: base weights (2 draws), initial scores (3 draws).",
            "modulo",
        ),
        (
            {"weights": 1},
            "Drawn once for all members: base weights.",
            "nested",
        ),
        ({"weights": "member"}, "Drawn for each member: base weights, initial scores, order", "Drawn once"),
        ({"phase": {"of": "moon"}}, "Further sources: phase = of = moon.", "Crossed"),
    ],
)
def test_designs_of_seeds(
    folder: Path, results: Results, changed: dict[str, Any], wanted: str, absent: str
) -> None:
    results["study"]["seeds"] |= changed
    text = said.of(folder, results)["Seeds"]
    assert wanted in text
    assert absent not in text
    assert "all derived from seed 0 and the same for every population [salmon2011parallel]." in text


def test_sources_of_seeds_that_nothing_draws_from_are_left_out(folder: Path, results: Results) -> None:
    results["study"]["training"]["augment"] = "none"
    for row in results["populations"]:
        row |= {"trained": True, "control": None, "refresh": None}
    text = said.of(folder, results)["Seeds"]
    assert text.count(":") == 2
    assert "initial scores, order of the training images. Member i" in text
    for row in results["populations"]:
        row |= {"trained": False, "control": "random"}
    text = said.of(folder, results)
    assert (
        "modulo their number: base weights (2 draws). Drawn for each member and so nested in the draws that "
        "are shared: masks of untrained controls." in text["Seeds"]
    )
    assert "cross-entropy" not in text["Training"]


def test_imported_masks_have_no_recipe(folder: Path, results: Results) -> None:
    results["study"]["recipe_digest"] = None
    for row in results["populations"]:
        row["imported"] = {"format": "arrays", "weights": "none", "files": [], "unknown": []}
    text = said.of(folder, results)
    assert not {"Data and network", "Training", "Seeds"} & text.keys()
    assert text["Masks and pruners"].startswith("Imported: edge-popup-d0.5, biprop-d0.5, ")
    assert "PyTorch" not in text["Software"]
    assert "Training" not in text["Software"]


def test_names_stay_as_they_are(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=2, hostile=True)
    results["study"]["network"]["unmasked"] = [{"name": HOSTILE_LAYER, "shape": [2], "rule": "constructed"}]
    text = said.of(tmp_path, results)
    assert f"Not masked: {HOSTILE_LAYER} (frozen" in text["Data and network"]
    assert f"{results['populations'][0]['name']} (weight init" in text["Masks and pruners"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KNOWN = (
    "epochs",
    "optimizer",
    "momentum",
    "schedule",
    "selection",
    "ramp_epochs",
    "augment",
    "rank",
    "fan_scale",
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=6), JSON, max_size=6))
def test_no_recipe_of_a_newer_masklab_is_too_new(training: dict[str, Any]) -> None:
    text = recipe.training(training)
    for key, value in training.items():
        if key not in KNOWN and value not in (None, [], {}):
            assert key.replace("_", " ") in text


def test_a_study_of_a_newer_masklab(folder: Path, results: Results) -> None:
    for table in ("training", "seeds", "network", "data"):
        results["study"][table] |= {"of_tomorrow": {"a": [1, None]}}
    results["study"]["training"] |= {"augment": ["flip", "cut"], "selection": {"by": "block"}, "rank": 3}
    results["populations"][0]["options"] = {"of_tomorrow": {"a": 1}}
    results["populations"][0]["overrides"] = {"of_tomorrow": None}
    text = said.of(folder, results)
    assert "augment flip, cut" in text["Training"]
    assert "of tomorrow a = 1, –" in text["Training"]
    assert "of_tomorrow = a = 1, –" in text["Seeds"]
