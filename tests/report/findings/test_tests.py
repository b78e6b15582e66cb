"""Questions that the analysis tests: what is planted is said, and nothing else."""

from collections.abc import Callable

import pytest

from masklab.report.findings import accuracy, link, location, overlap, refreshes, spread
from tests.report.predicted import value

from .planted import RANDOM, A, B, C, Study, alone, pair

Make = Callable[..., Study]


@pytest.fixture
def three(study: Make) -> Study:
    """Three pruners, nothing differs."""
    return study()


def _accuracies(three: Study) -> None:
    """C over B over A."""
    three.plant(
        pair("accuracy", A, B, -0.01, 0.04, half=0.005),
        pair("accuracy", A, C, -0.03, 0.001),
        pair("accuracy", B, C, -0.02, 0.012, half=0.01),
    )


def test_the_best_pruner_is_named_where_it_is_apart_from_all_others(three: Study) -> None:
    _accuracies(three)
    for row in three.made["accuracy"]:
        if (row["population"], row["metric"]) == (C, "accuracy"):
            row["estimate"] = value(0.873, 0.004)
    found = three.answer(accuracy.ask)
    assert found.text == (
        f"{C} (87.30 % [86.90, 87.70]) is more accurate than each of the other 2 pruners, by 2.00 to 3.00 "
        "points [1.00, 5.00] (95 % intervals, n = 12 pairs of equal seeds on 3 draws each; largest "
        "adjusted p = 0.012, Benjamini and Hochberg over 3 pairs of populations; 0 = no difference; "
        "guessing gives 10 %). Test accuracy differs in all 3 pairs of pruners (largest adjusted p = "
        "0.040)."
    )
    assert (found.anchor, found.carried) == ("s1-accuracy", True)


@pytest.mark.parametrize(
    ("effect", "half", "p"), [(-0.02, 0.03, 0.012), (-0.02, 0.01, 0.051), (None, 0.0, None)]
)
def test_one_number_takes_the_best_its_name(
    three: Study, effect: float | None, half: float, p: float | None
) -> None:
    _accuracies(three)
    three.plant(pair("accuracy", B, C, effect, p, half=half))
    found = three.answer(accuracy.ask)
    assert found.carried
    tested = 3 if effect is not None else 2
    assert found.text.startswith(
        f"Test accuracy differs in {'2 of 3' if tested == 3 else 'both'} pairs of pruners, but no pruner is "
        f"more accurate than every other; the largest difference is that of {C} over {A}, 3.00 points "
        "[1.00, 5.00] (95 % interval, n = 12 pairs of equal seeds on 3 draws; adjusted p = 0.0010, "
    )


def test_no_difference_is_said_to_be_none(three: Study) -> None:
    three.plant(pair("accuracy", A, C, -0.015, 0.2))
    for row in three.made["tests"]:
        row["smallest_p"] = 0.125
    found = three.answer(accuracy.ask)
    assert not found.carried
    assert found.text == (
        f"No difference in test accuracy was found between 3 pruners: the largest is that of {C} over {A}, "
        "1.50 points [−0.50, 3.50] (95 % intervals, n = 12 pairs of equal seeds on 3 draws each; smallest "
        "adjusted p = 0.200, Benjamini and Hochberg over 3 pairs of populations; the smallest p attainable "
        "is 0.125, so that none could be found; 0 = no difference; guessing gives 10 %)."
    )


def test_two_pruners_are_compared_in_one_sentence(study: Make) -> None:
    three = study(populations=2)
    three.plant(pair("accuracy", A, B, 0.05, 0.01))
    found = three.answer(accuracy.ask)
    assert found.text.startswith(f"{A} (")
    assert f") is more accurate than {B}, by 5.00 points [3.00, 7.00] (95 % interval, n = 12" in found.text
    assert "pairs of pruners" not in found.text


@pytest.mark.parametrize(("reached", "carried"), [(0.85, True), (0.2, False)])
def test_one_pruner_is_compared_with_guessing(study: Make, reached: float, carried: bool) -> None:
    three = study(populations=1)
    for row in three.made["accuracy"]:
        row["estimate"] = value(reached, 0.15)
    found = three.answer(accuracy.ask)
    assert found.carried is carried
    assert "guessing gives 10 %" in found.text
    assert ("p from the intervals" in found.text) and ("n = 6 members on 3 draws" in found.text)
    assert found.text.startswith(f"{A} reaches 85.00 %" if carried else f"Whether {A} learned anything")


def test_controls_are_no_pruners(study: Make) -> None:
    """A random control is worse than everything, and the only thing that is."""
    three = study(populations=7)
    names = [row["name"] for row in three.made["populations"] if row["name"] != RANDOM]
    for test, chance in (("accuracy", 0.0), ("permanova", 0.1), ("permdisp", 0.0)):
        three.plant(*(pair(test, name, RANDOM, 0.7, 0.001, chance=chance) for name in names))
    for row in three.made["populations"]:
        row["trained"] = True  # as a control whose weights are trained
    found = three.asked(accuracy.ask, location.ask, spread.ask)
    assert [own.carried for own in found] == [False] * 3
    assert all(RANDOM not in own.text for own in found)
    assert "between 6 pruners" in found[0].text
    assert all("over 21 pairs of populations" in own.text for own in found)


@pytest.mark.parametrize("how", ["control", "not compared", "imported", "guessing"])
def test_whom_findings_are_not_about(three: Study, how: str) -> None:
    _accuracies(three)
    row = next(row for row in three.made["populations"] if row["name"] == C)
    source = {"format": "arrays", "weights": "none", "files": [], "unknown": []}
    changes = {"control": {"control": "magnitude"}, "not compared": {"compared": False}}
    row.update({**changes, "imported": {"imported": source}}.get(how, {}))
    if how == "guessing":
        for own in three.made["accuracy"]:
            own["estimate"] = value(0.18, 0.01) if own["population"] == C else own["estimate"]
    three.made["overlap"] = [own for own in three.made["overlap"] if C not in (own["a"], own["b"])]
    three.made["without_pairs"] = "left out"
    found = three.answer(accuracy.ask)
    assert f"is more accurate than {A}, by 1.00 points" in found.text
    named = f" Near guessing level, and so in no comparison: {C} (18.00 % [17.00, 19.00])."
    assert found.text.endswith(named) is (how == "guessing")
    assert C not in found.text.removesuffix(named)


def test_nothing_is_said_of_pruners_that_did_not_learn(three: Study) -> None:
    _accuracies(three)
    for row in three.made["accuracy"]:
        row["estimate"] = value(0.11, 0.01)
    found = three.answer(accuracy.ask)
    assert not found.carried
    assert found.text.startswith(
        "No pruner is far above guessing level: mean test accuracy 11.00 % [10.00, 12.00] (n = 6 members), "
        "where guessing gives 10 %."
    )
    others = three.all()
    assert [own.anchor for own in others] == ["s1-accuracy"]


def test_refreshes_are_compared_with_their_gate_alone(three: Study) -> None:
    _accuracies(three)
    found = three.answer(refreshes.ask)
    assert found.text == (
        f"Refreshing base weights raises test accuracy over the gate alone in the one comparison: {C} over "
        f"{B} 2.00 points [1.00, 3.00] (95 % interval, n = 12 pairs of equal seeds on 3 draws; adjusted p = "
        "0.012, Benjamini and Hochberg over 3 pairs of populations; 0 = no effect)."
    )
    three.plant(pair("accuracy", B, C, -0.02, 0.012, half=0.02))
    found = three.answer(refreshes.ask)
    assert not found.carried
    assert found.text.startswith(
        "No effect of refreshing base weights on test accuracy was found in 1 comparison with the gate "
        f"alone: the largest difference is that of {C} over {B} 2.00 points [0.00, 4.00] ("
    )
    assert "the smallest p attainable is 0.0001" in found.text
    next(row for row in three.made["populations"] if row["name"] == B)["density"] = 0.3
    assert three.asked(refreshes.ask) == []


def test_refreshes_may_raise_and_lower(study: Make) -> None:
    three = study(populations=5)
    recycle, iterand = "edge-popup+recycle-d0.5", "edge-popup+iterand-d0.5"
    three.made["populations"][0]["overrides"] = {}
    three.plant(
        pair("accuracy", A, recycle, 0.05, 0.01),
        pair("accuracy", A, iterand, -0.05, 0.02),
        pair("accuracy", B, C, -0.04, 0.03),
        pair("accuracy", A, C, -0.09, 0.001),  # another gate
    )
    found = three.answer(refreshes.ask)
    assert found.text.startswith(
        f"Refreshing base weights raises test accuracy over the gate alone in 2 of 3 comparisons: {iterand} "
        f"over {A} 5.00 points [3.00, 7.00] and {C} over {B} 4.00 points [2.00, 6.00] ("
    )
    assert (
        f"; it lowers test accuracy over the gate alone in 1 of 3 comparisons: {recycle} over {A} −5.00 "
        "points [−7.00, −3.00] ("
    ) in found.text
    assert found.text.count("Benjamini and Hochberg over 10 pairs of populations") == 2


def test_agreement_beyond_chance(three: Study) -> None:
    three.plant(
        alone("stability-against-chance", A, 0.05, 0.001),
        alone("stability-against-chance", B, 0.07, 1e-9, half=0.03),
    )
    found = three.answer(overlap.ask)
    assert found.anchor == "s1-overlap-chapter"
    assert found.text == (
        f"Masks of one pruner that share base weights agree more than independent masks do, in 2 of 3 "
        f"pruners ({A} and {B}): stability 0.050 to 0.070 [0.030, 0.100] "
        "(95 % intervals, n = 12 members on 3 draws each; "
        "largest adjusted p = 0.0010, Benjamini and Hochberg over 3 populations; 0 = chance, 1 = equal "
        "masks)."
    )
    three.plant(alone("stability-against-chance", C, -0.05, 0.02))
    assert three.answer(overlap.ask).text.endswith(" The opposite holds in 1 of 3 pruners.")


def test_agreement_at_chance_is_no_agreement(three: Study) -> None:
    three.plant(alone("stability-against-chance", A, 0.01, 1e-9))  # its interval includes chance
    found = three.answer(overlap.ask)
    assert not found.carried
    assert found.text.startswith("No agreement beyond chance was found between masks of one pruner")
    assert "smallest adjusted p < 0.0001" in found.text


def test_location_is_what_exceeds_chance(three: Study) -> None:
    three.plant(
        pair("permanova", A, B, 0.13, 0.01, chance=0.1),
        pair("permanova", A, C, 0.16, 0.02, chance=0.15, half=0.005),
        pair("permdisp", A, C, 0.05, 0.01),
        pair("permdisp", B, C, 0.05, 0.01),
    )
    found = three.answer(location.ask)
    assert found.text == (
        "Masks of different pruners lie in different places, in 2 of 3 pairs of pruners, beyond base "
        f"weights and seeds: between {A} and {B} the pruner explains 0.030 of the scatter beyond chance, R² "
        "= 0.130 [0.110, 0.150] (95 % interval, n = 12 seeds on 3 draws; adjusted p = 0.010, Benjamini and "
        "Hochberg over 3 pairs of populations; chance level 0.100). Spread, to which the test reacts, too, "
        "differs in 1 of these 2 pairs as well."
    )
    three.plant(pair("permanova", A, B, 0.13, 0.01, chance=0.12))
    assert "in 1 of 3 pairs" in three.answer(location.ask).text
    three.plant(pair("permanova", A, C, 0.16, 0.02, chance=0.155, half=0.005))
    found = three.answer(location.ask)
    assert not found.carried
    assert found.text.startswith("No difference was found in where masks of different pruners lie: between ")


def test_spread_is_named_by_the_wider_one(three: Study) -> None:
    three.plant(pair("permdisp", A, B, -0.05, 0.01))
    found = three.answer(spread.ask)
    assert found.text.startswith(
        f"In 1 of 3 pairs of pruners one spreads more widely: masks of {B} lie 0.050 [0.030, 0.070] farther "
        f"from their centroid than those of {A}, in √Hamming distance (95 % interval, n = 12 seeds on 3 "
        "draws; adjusted p = 0.010, "
    )
    three.plant(pair("permdisp", A, B, -0.05, 0.06))
    found = three.answer(spread.ask)
    assert not found.carried
    assert f"masks of {B} lie 0.050 [0.030, 0.070] farther" in found.text


def test_the_link_of_structure_and_function(three: Study) -> None:
    three.plant(alone("mantel", A, 0.3, 0.01, half=0.1), alone("mantel", B, 0.5, 0.02, half=0.1))
    found = three.answer(link.ask)
    assert found.text == (
        "Members whose masks differ more disagree more on test images, within 2 of 3 pruners "
        f"({A} and {B}): Mantel "
        "correlation 0.30 to 0.50 [0.20, 0.60] (95 % intervals, n = 12 members on 3 draws each; largest "
        "adjusted p = 0.020, Benjamini and Hochberg over 3 populations; 0 = no link)."
    )
    for row in three.made["tests"]:
        if row["test"] == "mantel":
            row["estimate"] = value(0.3, None, why="an interval needs 5 members")
    found = three.answer(link.ask)
    assert not found.carried
    assert (
        "(no interval, n = 6 members on 3 draws each; an interval needs 5 members; smallest adjusted"
        in found.text
    )
