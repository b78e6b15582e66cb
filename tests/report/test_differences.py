import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from masklab.report import figures, load, records, style
from masklab.report.figures import pairs
from masklab.report.figures.figure import Figure

from . import builder, dom, large, measured

Row = dict[str, Any]
NAMES = ("edge-popup-d0.5", "biprop-d0.5", "biprop+recycle-d0.5", "edge-popup+recycle-d0.5")
EFFECTS = (-0.02, 0.01, 0.005, 0.03, 0.025, -0.005)
"""Of the six pairs in the order of the study."""


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, Row]:
    return tmp_path, builder.build(tmp_path, populations=4, members=4)


def _narrow(row: Row, half: float = 0.004) -> Row:
    """The same test with a narrow interval around its effect."""
    value = row["estimate"]["value"]
    return {**row, "estimate": {**row["estimate"], "low": value - half, "high": value + half}}


def _accuracy(results: Row, adjusted: list[float | None], effects: tuple[float, ...] = EFFECTS) -> None:
    """Replace the tests of accuracies; a pair without adjusted p has no p."""
    results["tests"] = []
    for (a, b), effect, own in zip(itertools.combinations(NAMES, 2), effects, adjusted, strict=True):
        row = measured.tested(
            "accuracy", a, b, effect=effect, p=own, label="difference of mean accuracy, a − b"
        )
        results["tests"].append({**_narrow(row), "adjusted_p": own})


def _draw(study: tuple[Path, Row], name: str = "differences") -> Figure:
    return builder.draw(*study, figures.ALL[name])


def _texts(figure: Figure) -> list[str]:
    return [node.text() for node in dom.parse(str(figure.svg)).all("text")]


def _column(figure: Figure, name: str) -> list[Any]:
    assert figure.data is not None
    return [row[list(figure.data.columns).index(name)] for row in figure.data.rows]


def test_pairs_stand_from_the_largest_difference_down(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.01, 0.2, 0.3, 0.05, 0.051, 0.6])
    drawn = _draw(study)
    order = sorted(zip(EFFECTS, itertools.combinations(NAMES, 2), strict=True), reverse=True)
    names = [text for text in _texts(drawn) if text in NAMES]
    assert names == [b for _, (_, b) in order] + [a for _, (a, _) in order]
    assert _column(drawn, "value") == [effect for effect, _ in order]
    assert _column(drawn, "chance") == [0.0] * 6


def test_filled_points_are_those_that_differ_after_the_correction(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.01, 0.2, 0.3, 0.05, 0.051, 0.6])
    looks = [node.attributes["style"] for node in dom.parse(str(_draw(study).svg)).all("use")]
    assert sum(look == "fill: currentColor" for look in looks) == 2 + 1  # and one in the legend
    assert sum("fill-opacity: 0;" in look for look in looks) == 4 + 1


def test_message_names_the_largest_difference_that_is_told_from_none(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.01, 0.2, 0.3, 0.5, 0.051, 0.6])
    assert _draw(study).message == (
        "1 of 6 pairs of trained populations differ in accuracy (adjusted p ≤ 0.05 and chance "
        "outside the interval); the largest difference: biprop-d0.5 over edge-popup-d0.5, 2.00 points "
        "[1.60, 2.40] (n = 6)."
    )


def test_message_says_what_relabelings_allow_where_nothing_differs(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.06] * 6)
    said = f"0 of 6 pairs of trained populations differ in accuracy ({pairs.RULE}). "
    assert _draw(study).message == f"{said}The smallest p that the relabelings allow is 0.0001."
    study[1]["tests"] = [{**row, "smallest_p": 0.125} for row in study[1]["tests"]]
    assert _draw(study).message == (
        f"{said}The smallest p that the relabelings allow is 0.125, so no pair could be told apart."
    )


def test_controls_are_drawn_but_not_spoken_of(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.01, 0.2, 0.01, 0.3, 0.01, 0.01])
    study[1]["populations"][3] |= {"trained": False, "control": "random", "gate": None}
    drawn = _draw(study)
    assert drawn.message.startswith("1 of 3 pairs of trained populations differ")
    assert len(_column(drawn, "a")) == 6


def test_undefined_pairs_are_counted_with_their_reason(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.01, 0.2, 0.3, 0.05, 0.051, 0.6])
    row = study[1]["tests"][2]
    row |= {"estimate": {**row["estimate"], "value": None, "low": None, "high": None}, "p": None}
    row |= {"adjusted_p": None, "why": "no known accuracy: theirs"}
    drawn = _draw(study)
    assert "Not drawn: 1 pair (no known accuracy: theirs)." in drawn.caption
    assert "corrected for 5 pairs" in drawn.caption
    assert len(_column(drawn, "a")) == 5
    assert drawn.message.startswith("2 of 5 pairs")


def test_without_any_difference_the_reason_is_given(study: tuple[Path, Row]) -> None:
    _, results = study
    _accuracy(results, [None] * 6)
    for row in results["tests"]:
        row["estimate"] |= {"value": None, "low": None, "high": None}
    drawn = _draw(study)
    assert drawn.svg is None
    assert drawn.caption == "No two accuracies could be compared: there is one population."
    results["tests"] = []
    assert _draw(study).caption == "No two populations have stored members to compare."
    for member in results["members"]:
        member["accuracy"] = None
    assert _draw(study).caption == "No accuracy is known, so none are compared."


def test_values_without_a_p_are_drawn_hollow(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [None] * 6)
    drawn = _draw(study)
    assert drawn.message == "No difference in accuracy could be tested."
    assert len(_column(drawn, "value")) == 6


@pytest.mark.parametrize("populations", [8, 9])
def test_many_pairs_are_those_with_the_first_trained_population(tmp_path: Path, populations: int) -> None:
    results = large.build(tmp_path, populations, 3, 1)
    results["populations"][0] |= {"trained": False}
    drawn = builder.draw(tmp_path, results, figures.ALL["differences"])
    found = list(zip(_column(drawn, "a"), _column(drawn, "b"), strict=True))
    names = [own["name"] for own in results["populations"]]
    if populations == 8:
        assert sorted(found) == sorted(itertools.combinations(names, 2))
        assert "are drawn" not in drawn.caption
    else:
        assert len(found) == 8
        assert all(names[1] in pair for pair in found)
        assert f"Of 36 pairs, those with {names[1]} are drawn" in drawn.caption
        assert "corrected for 36 pairs" in drawn.caption


def _spread(results: Row, adjusted: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Add tests of place and spread; returns their effects above chance, first those of place."""
    results["tests"] = []
    effects: dict[tuple[str, str], float] = {}
    for at, (a, b) in enumerate(itertools.combinations(NAMES, 2)):
        place = measured.tested(
            "permanova", a, b, effect=0.1 + 0.01 * at, chance=0.09, label="r_squared: share"
        )
        spread = measured.tested("permdisp", a, b, effect=0.02 - 0.008 * at, label="difference, a − b")
        for row in (place, spread):
            row["adjusted_p"] = adjusted.get((row["test"], f"{a} {b}"), 0.2)
        results["tests"] += [_narrow(place), _narrow(spread)]
        effects[a, b] = 0.01 + 0.01 * at
        effects[b, a] = 0.02 - 0.008 * at
    return effects


def test_cells_hold_effects_above_chance_and_marks(study: tuple[Path, Row]) -> None:
    apart = {("permanova", f"{NAMES[0]} {NAMES[1]}"): 0.05, ("permdisp", f"{NAMES[2]} {NAMES[3]}"): 0.01}
    effects = _spread(study[1], apart)
    drawn = _draw(study, "separation")
    found = [text for text in _texts(drawn) if re.fullmatch(r"−?\d\.\d{3}\*?", text)]
    place = {(b, a): effects[a, b] for a, b in itertools.combinations(NAMES, 2)}
    spread = {(b, a): effects[b, a] for a, b in itertools.combinations(NAMES, 2)}
    wanted = [
        f"{cells[row, column]:.3f}".replace("-", "−") + "*" * ((test, f"{column} {row}") in apart)
        for test, cells in (("permanova", place), ("permdisp", spread))
        for row in NAMES
        for column in NAMES
        if (row, column) in cells
    ]
    assert found == wanted
    assert sum("*" in text for text in found) == 2
    assert _texts(drawn).count("spread: distance to centroid, column less row") == 1


def test_message_of_place_and_spread(study: tuple[Path, Row]) -> None:
    _spread(
        study[1],
        {("permanova", f"{NAMES[0]} {NAMES[1]}"): 0.05, ("permdisp", f"{NAMES[2]} {NAMES[3]}"): 0.01},
    )
    assert _draw(study, "separation").message == (
        f"1 of 6 pairs of trained populations lie in different places (PERMANOVA, {pairs.RULE}; n = 12 "
        "members per pair); farthest are edge-popup-d0.5 and biprop-d0.5, R² 0.100 [0.096, 0.104] against "
        f"0.090 by chance. 1 of 6 pairs of trained populations spread differently (PERMDISP, {pairs.RULE}; "
        "n = 12 members per pair); most, edge-popup+recycle-d0.5 more than biprop+recycle-d0.5, by 0.020 "
        "[0.016, 0.024]."
    )


def test_a_small_p_beside_an_interval_with_chance_in_it_is_no_difference(study: tuple[Path, Row]) -> None:
    _accuracy(study[1], [0.01] * 6)
    for row in study[1]["tests"]:
        row["estimate"].update(low=-0.1, high=0.1)
    assert _draw(study).message.startswith("0 of 6 pairs of trained populations differ in accuracy")


def test_one_matrix_where_the_other_is_undefined(study: tuple[Path, Row]) -> None:
    _spread(study[1], {})
    for row in study[1]["tests"]:
        if row["test"] == "permdisp":
            row |= {"p": None, "adjusted_p": None, "why": "too few members"}
            row["estimate"] |= {"value": None, "low": None, "high": None}
    drawn = _draw(study, "separation")
    assert "PERMDISP is not drawn: too few members." in drawn.caption
    assert "Spread:" not in drawn.caption
    assert set(_column(drawn, "test")) == {"permanova"}
    for row in study[1]["tests"]:
        row["estimate"] |= {"value": None, "low": None, "high": None}
    drawn = _draw(study, "separation")
    assert drawn.svg is None
    assert drawn.caption == "too few members."


def test_without_tests_of_masks_the_reason_is_given(study: tuple[Path, Row]) -> None:
    study[1]["tests"] = []
    assert _draw(study, "separation").caption == "No two populations have stored members to compare."
    study[1]["without_pairs"] = "too many pairs"
    assert _draw(study, "separation").caption == "too many pairs."


@pytest.mark.parametrize("name", ["matrices", "separation"])
def test_many_populations_have_colours_instead_of_values(tmp_path: Path, name: str) -> None:
    results = large.build(tmp_path, 13, 3, 1)
    for row in results["tests"]:
        row["adjusted_p"] = 0.01 if row["test"] == "permdisp" else 0.2
        row["estimate"] = _narrow(row, 1e-9)["estimate"]
    drawn = builder.draw(tmp_path, results, figures.ALL[name])
    texts = _texts(drawn)
    cells = list(dom.parse(str(drawn.svg)).all("image"))
    assert len(cells) >= 2
    assert not [text for text in texts if re.search(r"\d\.\d+\*", text)]
    assert texts.count("*") == (13 * 12 // 2 if name == "separation" else 0)
    assert all(texts.count(own["name"]) >= 2 for own in results["populations"])


@pytest.mark.parametrize(
    ("ends", "wanted"),
    [
        ((0.1, 0.0, 0.2), ("x", "y", 0.1, 0.0, 0.2)),
        ((-0.1, -0.3, 0.2), ("y", "x", 0.1, -0.2, 0.3)),
        ((-0.1, None, None), ("y", "x", 0.1, None, None)),
    ],
)
def test_upright_differences_have_no_sign(ends: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
    row = measured.tested("accuracy", "x", "y", effect=0.0)
    row["estimate"] |= dict(zip(("value", "low", "high"), ends, strict=True))
    a, b, own = pairs.upright(records.Test.model_validate(row))
    assert (a, b, own.value, own.low, own.high) == wanted


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=3, members=3, hostile=True)
    analysis = load.read(tmp_path)
    for name in ("differences", "separation"):
        drawn = figures.ALL[name](analysis, style.theme([analysis]), "k")
        assert results["populations"][0]["name"] in _texts(drawn), name
