"""Questions that have no test of their own: p is that of the interval, over all comparisons of the "
"question."""

from collections.abc import Callable
from typing import Any

import pytest

from masklab.report.findings import (
    barriers,
    consensus,
    diversity,
    embeddings,
    ensembles,
    layers,
    seeds,
    transfer,
)
from tests.report.measured import null
from tests.report.predicted import value

from .planted import RANDOM, A, B, C, Study

Make = Callable[..., Study]


@pytest.fixture
def three(study: Make) -> Study:
    """Three pruners with a landscape."""
    return study(landscape=True)


def _overlaps(three: Study, same: float, within: float, half: float = 0.02, n: int = 6) -> None:
    metric = {"metric": "chance_corrected", "layer": "whole", "block": "within"}
    three.put("overlap", metric | {"seed": "same"}, estimate=value(same, half, n))
    three.put("overlap", metric | {"seed": "different"}, estimate=value(within, half, n))


def test_the_seed_matters_more_than_the_pruner(three: Study) -> None:
    _overlaps(three, 0.6, 0.1)
    found = three.answer(seeds.ask)
    assert found.text == (
        "Which weights are kept depends more on the seed than on the pruner, in all 3 pairs of pruners: "
        "masks of two pruners from the same seeds overlap more, 0.600 [0.580, 0.620] (n = 6 pairs of "
        "masks), than masks of one pruner from different seeds, 0.100 [0.080, 0.120] (n = 3 pairs of "
        "masks). The smallest difference is 0.500 [0.460, 0.540] (95 % intervals, n = 6 seeds on 3 draws "
        "each; largest adjusted p < 0.0001, p from the intervals, Benjamini and Hochberg over 6 "
        "comparisons; chance-corrected overlap: 0 = chance, 1 = the most there can be)."
    )
    three.put("overlap", {"metric": "chance_corrected", "a": A, "b": B, "seed": "same"}, estimate=value(0.0))
    found = three.answer(seeds.ask)
    assert "in 2 of 3 pairs of pruners" in found.text
    assert found.text.endswith(" The opposite holds in 1 of 3 pairs of pruners.")
    _overlaps(three, 0.1, 0.6)
    assert three.answer(seeds.ask).text.startswith(
        "Which weights are kept depends more on the pruner than on the seed, in all 3 pairs of pruners: "
        "masks of two pruners from the same seeds overlap less, "
    )


@pytest.mark.parametrize(("half", "n"), [(0.2, 6), (0.02, 4)])
def test_wide_intervals_and_few_masks_do_not_answer(three: Study, half: float, n: int) -> None:
    _overlaps(three, 0.4, 0.1, half, n)
    found = three.answer(seeds.ask)
    assert not found.carried
    assert found.text.startswith(
        "Whether it depends on the seed or on the pruner which weights are kept is not "
    )
    assert ("fewer than 5 of them are too few for a p value" in found.text) is (n == 4)


def _barriers(
    three: Study, height: float, half: float = 0.05, low: float = 0.1, noise: float = 0.02, masks: int = 5
) -> None:
    for row in three.made["landscape"]:
        row["barrier"]["entezari_error"] = value(height, half, n=masks)
        row["over_images"]["entezari_error"].update(low=low, high=height + 0.1, chance=noise)
        row["pairs"] = 3


def test_barriers_stand_against_noise(three: Study) -> None:
    _barriers(three, 0.3)
    found = three.answer(barriers.ask)
    assert found.carried
    assert found.text.startswith(
        "Mean barriers on straight lines of trained populations, points of test error: within a population "
        "30.0 [10.0, 40.0] (n = 9 pairs, "
    )
    assert (
        "noise alone would show 2.0 points. Over masks, too, that noise is exceeded by all 9 kinds of"
        in found.text
    )
    assert (
        "30.0 points [25.0, 35.0] (95 % intervals, n = 5 masks each; largest adjusted p = 0.0" in found.text
    )
    assert found.text.endswith("Benjamini and Hochberg over 9 kinds of pairs; chance level: noise alone).")


@pytest.mark.parametrize(
    "change",
    [{"height": 0.05, "half": 0.04}, {"noise": 0.27}, {"low": 0.01}, {"height": 0.03, "half": 0.005}],
)
def test_a_barrier_within_the_noise_is_none(three: Study, change: dict[str, Any]) -> None:
    _barriers(three, **{"height": 0.3, **change})
    found = three.answer(barriers.ask)
    carried = change.get("height") == 0.03  # 3 points, far above 2 by its interval over masks
    assert found.carried is carried
    assert (
        "Over masks, none was found to be above that noise (95 % intervals, " in found.text
    ) is not carried


def test_barriers_between_few_masks_are_not_judged(three: Study) -> None:
    _barriers(three, 0.3, half=0.001, masks=4)
    found = three.answer(barriers.ask)
    assert not found.carried
    assert "fewer than 5 of them are too few for a p value" in found.text


def test_controls_have_no_barriers(study: Make) -> None:
    own = study(populations=7, landscape=True)
    _barriers(own, 0.3)
    for row in own.made["landscape"]:
        if RANDOM in (row["a"], row["b"]):
            row["barrier"]["entezari_error"] = value(0.9, 0.001)
    for row in own.made["populations"]:
        row["trained"] = True
    found = own.answer(barriers.ask)
    assert "90.0" not in found.text
    assert "within a population 30.0" in found.text


def _majority(three: Study, name: str, gain: float, half: float = 0.05) -> None:
    match = {"population": name, "operation": "majority", "density_kind": "matched"}
    three.put("algebra", match, gain=value(gain, half, n=3), accuracy=value(0.8 + gain, 0.01, n=3))


def test_the_majority_of_masks_against_its_members(three: Study) -> None:
    for name, gain in ((A, -0.5), (B, -0.6), (C, 0.02)):
        _majority(three, name, gain)
    found = three.answer(consensus.ask)
    assert found.text == (
        "The majority of the masks of a draw is less accurate than its members, in 2 of 3 pruners "
        f"({A} and {B}): by 50.0 to 60.0 points [45.0, 65.0] "
        "(95 % intervals, n = 3 draws of base weights each; largest adjusted p "
        "= 0.0008, p from the intervals, Benjamini and Hochberg over 3 pruners; 0 = no difference). Its "
        "accuracy is 20.0 to 82.0 % [19.0, 83.0], where always naming the most common class gives 10.3 %."
    )
    _majority(three, C, 0.3)
    assert "The opposite holds in 1 of 3 pruners. Its accuracy" in three.answer(consensus.ask).text
    for name in (A, B, C):
        _majority(three, name, -0.04)
    found = three.answer(consensus.ask)
    assert not found.carried
    assert found.text.startswith(
        "Whether the majority of the masks of a draw is as accurate as its members is not"
    )


def test_a_consensus_of_few_draws_has_no_interval(three: Study) -> None:
    found = three.answer(consensus.ask)
    assert not found.carried
    assert (
        "(no interval, n = 6 draws of base weights each; an interval needs at least 3 draws; 0 = no"
        in found.text
    )


def test_masks_on_other_base_weights(three: Study) -> None:
    for name, change in ((A, -0.7), (B, -0.75), (C, -0.02)):
        match = {"population": name, "weights": "fresh"}
        three.put("transfer", match, change=value(change, 0.03, n=4), accuracy=value(0.11, 0.02), members=4)
    found = three.answer(transfer.ask)
    assert found.text == (
        "Masks lose accuracy on a draw of base weights that no member has, in 2 of 3 pruners "
        f"({A} and {B}): by 70.0 to 75.0 points [67.0, 78.0] "
        "(95 % intervals, n = 4 members each; largest adjusted p < 0.0001, p from "
        "the intervals, Benjamini and Hochberg over 3 pruners; 0 = no change). Accuracy there is 11.0 % "
        "[9.0, 13.0], where always naming the most common class gives 10.3 %."
    )
    three.made["transfer"] = [row for row in three.made["transfer"] if row["weights"] != "fresh"]
    assert "on base weights of another draw" in three.answer(transfer.ask).text
    three.put("transfer", {}, change=value(-0.02, 0.03))
    found = three.answer(transfer.ask)
    assert not found.carried
    assert "−2.0 points [−5.0, 1.0] against their own" in found.text


def test_ensembles_gain(three: Study) -> None:
    three.put("ensembles", {"size": 6, "rule": "average"}, gain=value(0.04, 0.02), images=360)
    three.put("ensembles", {"size": 6, "rule": "average", "population": A}, gain=value(0.01, 0.02))
    found = three.answer(ensembles.ask)
    assert found.text == (
        "Ensembles of 6 members are more accurate than their members, in 2 of 3 pruners "
        f"({B} and {C}): 4.0 points [2.0, 6.0] over the mean member, probabilities averaged "
        "(95 % intervals, n = 6 members on 3 draws each; "
        "largest adjusted p = 0.0055, p from the intervals, Benjamini and Hochberg over 3 pruners; 0 = no "
        "gain). Two members that share base weights disagree on 15.6 to 15.8 % [14.6, 16.8] of the test "
        "images (n = 15 pairs of members; independent predictions would on 90 %)."
    )
    three.put("ensembles", {}, gain=value(0.02, 0.02))
    found = three.answer(ensembles.ask)
    assert not found.carried
    assert found.text.startswith(
        "No gain of ensembles of 6 members was found: 2.0 points [0.0, 4.0] over the mean"
    )


def test_layers_in_which_masks_differ_more_than_by_chance(three: Study) -> None:
    shares = {"metric": "distance_share", "block": "within"}
    three.put("structure", shares, estimate=value(0.2, 0.01), chance=0.2)
    for name in (A, B):
        three.put("structure", shares | {"layer": "conv3", "population": name}, estimate=value(0.22, 0.01))
    three.put("structure", shares | {"layer": "fc1", "population": B}, estimate=value(0.1, 0.01))
    found = three.answer(layers.ask)
    assert found.text == (
        "The distance between masks of one pruner that share base weights is not spread over the layers as "
        "between independent masks: more of it lies in conv3, 1.100 times [1.050, 1.150] the chance level "
        f"in 2 of 3 pruners ({A} and {B}); less of it lies in fc1, 0.500 times [0.450, 0.550] the chance "
        f"level in 1 of 3 pruners ({B}) "
        "(95 % intervals, n = 6 members on 3 draws each; largest adjusted p = 0.022, p from the "
        "intervals, Benjamini and Hochberg over 18 layers of a pruner; 1 = chance level)."
    )
    three.put("structure", shares, estimate=value(0.205, 0.01))
    found = three.answer(layers.ask)
    assert not found.carried
    assert "1.025 times [0.975, 1.075] as much" in found.text
    three.put("structure", shares, estimate=value(0.3, 0.001, n=4))
    assert "fewer than 5 of them are too few for a p value" in three.answer(layers.ask).text


def _vendi(three: Study, score: float, half: float | None = None) -> None:
    beside = null(2.99, 0.005) | {"range": "min to max"}
    three.put("diversity", {"metric": "vendi"}, estimate=value(score, half), null=beside)


def test_masks_are_fewer_only_below_all_sets_of_random_masks(three: Study) -> None:
    _vendi(three, 2.9)
    found = three.answer(diversity.ask)
    assert found.text == (
        "The masks of one draw of base weights are fewer different ones than as many random masks, in all "
        "3 pruners: Vendi score 2.900 against 2.990 [2.985, 2.995] (n = 6 members on 3 draws each; chance "
        "level: random masks, mean and range of 19 sets; adjusted p = 0.050, Benjamini and Hochberg over 3 "
        "pruners, one-sided; the smallest p attainable is 0.050)."
    )
    three.put("diversity", {"metric": "vendi", "population": A}, estimate=value(2.986, None))
    found = three.answer(diversity.ask)  # two of three at 1/20 are 0.075
    assert not found.carried
    assert "smallest adjusted p = 0.075" in found.text
    _vendi(three, 2.9, half=0.1)
    assert not three.answer(diversity.ask).carried
    _vendi(three, 2.9, half=0.01)
    assert three.answer(diversity.ask).carried
    three.put("diversity", {"metric": "vendi"}, null=null(2.99, 0.005) | {"range": "2.5 % to 97.5 %"})
    assert not three.answer(diversity.ask).carried


def test_pictures_are_judged_together(three: Study) -> None:
    found = three.answer(embeddings.ask)  # PCoA at 1/20 and UMAP at 0.4 are 0.1 and 0.4
    assert not found.carried
    assert found.text == (
        "No embedding can be told from that of random masks: trustworthiness PCoA 0.936 against 0.620 "
        "[0.590, 0.650] and UMAP 0.710 against 0.740 [0.710, 0.770] (n = 18 members of all populations; "
        "chance level: random masks, mean and range of 19 sets; smallest adjusted p = 0.100, Benjamini and "
        "Hochberg over 2 embeddings, one-sided; the smallest p attainable is 0.050)."
    )
    three.put("embeddings", {"method": "pcoa"}, p=0.01)
    found = three.answer(embeddings.ask)
    assert found.text.startswith(
        "Near points are near masks in PCoA, more than in embeddings of random masks: "
    )
    assert found.text.endswith(" UMAP cannot be told from the embedding of random masks.")
