"""Who is compared with whom, and how populations are called and counted."""

import re
from collections.abc import Callable

import pytest

from masklab.report import figures, style
from masklab.report.findings import accuracy, link, location, seeds, spread, words
from masklab.report.findings.evidence import Effect
from masklab.report.records import Estimate
from tests.report.predicted import value

from .planted import A, B, C, Study, alone, pair

Make = Callable[..., Study]
PAIRS = ((A, B), (A, C), (B, C))
FLOOR = 0.1


@pytest.fixture
def three(study: Make) -> Study:
    """Three pruners, nothing differs."""
    return study()


def _all_differ(three: Study) -> None:
    """Every two populations differ in everything that is compared pair by pair."""
    for test, chance in (("accuracy", 0.0), ("permanova", FLOOR), ("permdisp", 0.0)):
        three.plant(*(pair(test, a, b, chance + 0.3, 0.001, chance=chance) for a, b in PAIRS))
    metric = {"metric": "chance_corrected", "layer": "whole", "block": "within"}
    three.put("overlap", metric | {"seed": "same"}, estimate=value(0.6))
    three.put("overlap", metric | {"seed": "different"}, estimate=value(0.1))


@pytest.mark.parametrize(
    ("changed", "noun"),
    [
        ({"pruner": "edge-popup", "density": 0.3}, "population"),
        ({"pruner": "edge-popup"}, "population"),
        ({"density": 0.3}, "pruner"),
    ],
)
def test_two_pruners_are_compared_at_one_density_alone(
    three: Study, changed: dict[str, str | float], noun: str
) -> None:
    """C becomes another population of A's pruner, or is of a density that no other has."""
    _all_differ(three)
    questions = (accuracy.ask, location.ask, spread.ask, seeds.ask)
    before = three.asked(*questions)
    assert all(own.carried and "3 pairs of pruners" in own.text for own in before)
    three.put("populations", {"name": C}, **changed)
    subject = three.subject()
    assert subject.noun == noun
    assert subject.pruners == [A, B, C]
    wanted = {(A, B), (B, C)} if changed == {"pruner": "edge-popup"} else {(A, B)}
    assert {own for own in PAIRS if subject.rivals(*own)} == wanted
    assert all(subject.rivals(b, a) is subject.rivals(a, b) for a, b in PAIRS)
    found = three.asked(*questions)
    assert all(own.carried for own in found)
    if len(wanted) == 1:
        assert all(C not in own.text for own in found)
        assert found[3].text.count(f"in the one pair of {noun}s") == 1
    else:
        assert found[0].text.startswith(
            "Test accuracy differs in both pairs of populations, but no population "
        )
        assert all("both pairs of populations" in own.text for own in found[1:])
    assert all("3 pairs of pruners" not in own.text for own in found)


def test_populations_of_several_densities_are_counted_as_such(three: Study) -> None:
    three.plant(alone("mantel", A, 0.3, 0.01), alone("mantel", C, 0.3, 0.01))
    three.put("populations", {"name": C}, pruner="edge-popup", density=0.3)
    assert f"within 2 of 3 populations ({A} and {C}): " in three.answer(link.ask).text


@pytest.mark.parametrize("differing", [0, 1, 2])
def test_who_is_near_guessing_is_named_but_not_compared(study: Make, differing: int) -> None:
    """Named whether one is best, none is, or nothing differs."""
    four = study(populations=4)
    last = four.made["populations"][3]["name"]
    others = [A, B, C]
    for own in four.made["accuracy"]:
        if own["population"] == last:
            own["estimate"] = value(0.18, 0.01)
    for test, chance in (("accuracy", 0.0), ("permanova", FLOOR), ("permdisp", 0.0)):
        four.plant(*(pair(test, name, last, chance + 0.7, 0.001, chance=chance) for name in others))
    four.plant(alone("mantel", last, 0.9, 0.001), alone("stability-against-chance", last, 0.9, 0.001))
    four.plant(*(pair("accuracy", A, name, 0.05, 0.01) for name in (B, C)[:differing]))
    found = four.answer(accuracy.ask)
    start = {
        0: "No difference in test accuracy was found between 3 pruners",
        1: "Test accuracy differs in 1 of",
    }
    assert found.text.startswith(start.get(differing, f"{A} ("))
    named = f" Near guessing level, and so in no comparison: {last} (18.00 % [17.00, 19.00])."
    assert found.text.endswith(named)
    everything = four.all()
    assert {"s1-scatter", "s1-overlap-chapter", "s1-differences-chapter"} <= {
        own.anchor for own in everything
    }
    assert all(not re.search(rf"{re.escape(last)}\b", own.text.removesuffix(named)) for own in everything)
    assert all("70.0" not in own.text and "0.90" not in own.text for own in everything[:6])


def test_it_is_said_where_fewer_are_measured_than_there_are(three: Study) -> None:
    three.plant(alone("mantel", A, 0.3, 0.01))
    assert f"within 1 of 3 pruners ({A}): " in three.answer(link.ask).text
    three.made["tests"] = [row for row in three.made["tests"] if (row["test"], row["a"]) != ("mantel", C)]
    assert f"within 1 of 2 pruners ({A}), those measured of 3: " in three.answer(link.ask).text
    three.plant(alone("mantel", B, 0.3, 0.01))
    assert f"within both pruners ({A} and {B}), those measured of 3: " in three.answer(link.ask).text


@pytest.mark.parametrize(
    ("stated", "measured", "said"),
    [
        (6, 6, "all 6 pruners"),
        (5, 6, "5 of 6 pruners (not {5})"),
        (4, 6, "4 of 6 pruners (not {4} and {5})"),
        (3, 6, "3 of 6 pruners"),
        (2, 6, "2 of 6 pruners ({0} and {1})"),
        (1, 6, "1 of 6 pruners ({0})"),
        (4, 5, "4 of 5 pruners (not {4}), those measured of 6"),
        (5, 5, "all 5 pruners, those measured of 6"),
        (1, 1, "the one pruner ({0}), those measured of 6"),
    ],
)
def test_the_few_have_names(study: Make, stated: int, measured: int, said: str) -> None:
    subject = study(populations=6).subject()
    estimate = Estimate(value=0.5, low=0.4, high=0.6, level=0.95, method="t", n=6)
    effects = [Effect((name, layer), estimate, 0.0) for name in subject.pruners for layer in "ab"]
    assert words.which(subject, effects[: 2 * stated], effects[: 2 * measured]) == said.format(
        *subject.pruners
    )


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ([(0.3, 0.02, 0.001), (0.3, 0.02, 0.05), (0.3, 0.02, 0.01)], 3),
        ([(0.3, 0.02, 0.001), (0.3, 0.21, 0.001), (0.3, 0.02, 0.051)], 1),
        ([(0.3, 0.02, 0.001), (0.3, 0.19, 0.001), (0.3, 0.02, 0.051)], 2),
        ([(0.3, 0.21, 0.001), (0.3, 0.5, 0.0001), (0.12, 0.03, 0.001)], 0),
    ],
)
def test_finding_and_figure_count_the_same_pairs(
    three: Study, rows: list[tuple[float, float, float]], number: int
) -> None:
    """A small p whose interval holds the chance level counts in neither, nor does a p above 0.05."""
    three.plant(
        *(
            pair("permanova", *of, effect, p, half=half, chance=FLOOR)
            for of, (effect, half, p) in zip(PAIRS, rows, strict=True)
        )
    )
    analysis = three.analysis()
    message = figures.ALL["separation"](analysis, style.theme([analysis]), "k").message
    drawn = re.match(r"(\d) of (\d) pairs of .* lie in different places \(PERMANOVA", message)
    assert drawn
    assert drawn.groups() == (str(number), "3")
    found = three.answer(location.ask)
    assert found.carried is (number > 0)
    counted = re.search(r"in (?:(\d) of|all) 3 pairs of pruners", found.text)
    assert (counted and int(counted[1] or 3)) == (number or None)
