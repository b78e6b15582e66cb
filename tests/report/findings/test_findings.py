"""All findings of a study: none without its evidence, none that is not asked for."""

import pkgutil
import re
from collections.abc import Callable, Sequence

import pytest

from masklab.report import findings, load, methods
from masklab.report.findings import Finding
from tests.report import builder, variants
from tests.report.conftest import Page

from . import planted
from .planted import KEY, A, B, Study, alone, pair

Make = Callable[..., Study]
HELPERS = {"evidence", "subject", "words"}


def _some(study: Study) -> Study:
    """The same study with something to say about every test."""
    study.plant(
        pair("accuracy", A, B, -0.05, 0.01),
        pair("permanova", A, B, 0.2, 0.01, chance=0.1),
        pair("permdisp", A, B, 0.1, 0.01),
        alone("stability-against-chance", A, 0.1, 0.01),
        alone("mantel", A, 0.3, 0.01),
    )
    return study


def _carried(found: Sequence[Finding]) -> list[Finding]:
    return [own for own in found if own.carried]


def test_every_file_of_the_folder_is_a_question() -> None:
    files = {module.name for module in pkgutil.iter_modules(findings.__path__)} - HELPERS
    assert {ask.__module__.rpartition(".")[2] for ask in findings.QUESTIONS} == files
    assert len(set(findings.QUESTIONS)) == len(findings.QUESTIONS)


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_every_finding_has_n_interval_level_p_correction_and_chance(study: Make, draws: int) -> None:
    found = _some(study(draws=draws, landscape=True)).all()
    assert len(_carried(found)) >= 7
    for own in _carried(found):
        assert re.search(r"\bn = \d", own.text), own.text
        assert re.search(r"\[−?[\d.]+, −?[\d.]+\]", own.text), own.text
        assert re.search(r"\badjusted p [=<] \d", own.text), own.text
        assert re.search(r"Benjamini and Hochberg over \d", own.text), own.text
        assert re.search(r"95 % interval|range of \d+ sets", own.text), own.text
        assert re.search(r"chance|\b0 = |independent masks|guessing", own.text), own.text
    for own in found:
        assert own.text.endswith(".")
        assert not re.search(r"  |\.\.|; ?[;.)]|\( |\( ?;|None|nan", own.text), own.text
        assert own.anchor.startswith(f"{KEY}-")
        drawn = {1: "Only on this one draw of base weights.", 2: "Only on these 2 draws of base weights."}
        assert ("Only on" in own.text) is (draws < 3)
        assert draws == 3 or own.text.endswith(drawn[draws])


def test_few_draws_are_those_of_pruners(study: Make) -> None:
    """Imported masks count as a draw of their own, which is none of the pruners'."""
    own = study(populations=2, draws=2)
    name = own.made["populations"][1]["name"]
    source = {"format": "arrays", "weights": "none", "files": [], "unknown": []}
    own.made["populations"][1]["imported"] = source
    own.put("members", {"population": name}, block=7)
    assert own.all()
    assert all(found.text.endswith("Only on these 2 draws of base weights.") for found in own.all())


def test_everything_is_said_and_what_is_open_comes_last(study: Make) -> None:
    own = study(landscape=True)
    own.plant(alone("mantel", A, 0.3, 0.01))  # an answer to a question that stands behind open ones
    asked = own.all()
    carried, left = _carried(asked), [one for one in asked if not one.carried]
    assert [one.carried for one in asked] != sorted((one.carried for one in asked), reverse=True)
    assert len(asked) > 12
    assert findings.find(own.analysis(), KEY) == [*carried, *left]


def test_the_methods_say_how_findings_are_made_where_there_are_any(study: Make) -> None:
    for own in (_some(study()), study(populations=1, members=1, draws=1)):
        said = {part.title: part.text for part in methods.methods(own.analysis())}
        assert own.all()
        assert said["Findings"] == findings.METHOD
    own = study(populations=2)
    variants.clear(own.made)
    own.made["accuracy"] = []
    said = {part.title: part.text for part in methods.methods(own.analysis())}
    assert said
    assert "Findings" not in said
    assert not any(findings.METHOD in text for text in said.values())


def test_without_a_landscape_nothing_is_said_of_one(study: Make) -> None:
    anchors = {own.anchor for own in study().all()}
    assert anchors.isdisjoint({"s1-landscape-chapter", "s1-algebra", "s1-transfer"})
    assert {"s1-accuracy", "s1-overlap-chapter", "s1-scatter", "s1-movement"} <= anchors


def test_without_pairs_only_what_is_linear_is_said(study: Make) -> None:
    own = study()
    own.plant(alone("stability-against-chance", A, 0.1, 0.01))
    variants.without_pairs(own.made)
    found = own.all()
    assert [one.anchor for one in _carried(found)] == ["s1-differences-chapter", "s1-movement"]
    assert {one.anchor for one in found} == {"s1-accuracy", "s1-differences-chapter", "s1-movement"}


def test_one_population_is_compared_with_chance_alone(study: Make) -> None:
    found = study(populations=1).all()
    assert "s1-accuracy" in {own.anchor for own in found}
    assert not any("pairs of pruners" in own.text or "two pruners" in own.text for own in found)


def test_one_member_says_nothing_but_what_is_open(study: Make) -> None:
    assert not _carried(study(populations=1, members=1, draws=1).all())


def test_nothing_measured_is_nothing_found(study: Make) -> None:
    own = study(populations=2)
    variants.clear(own.made)
    own.made["accuracy"] = []
    assert own.all() == []


def test_older_results_lack_what_is_asked(study: Make) -> None:
    own = study(landscape=True)
    own.made["tests"] = []
    for row in own.made["landscape"]:
        row["over_images"] = {}
    found = own.all()
    assert all("None" not in one.text for one in found)
    (barriers,) = [one for one in found if one.anchor == "s1-landscape-chapter"]
    assert barriers.text.endswith("Over masks, none was found to be above that noise.")


def test_names_are_taken_as_they_are(study: Make) -> None:
    own = study(hostile=True, landscape=True)
    names = [row["name"] for row in own.made["populations"]]
    own.plant(
        pair("accuracy", names[0], names[1], 0.05, 0.01), pair("accuracy", names[0], names[2], 0.05, 0.01)
    )
    text = own.all()[0].text
    assert text.startswith(f"{names[0]} (")
    assert builder.HOSTILE in text


@pytest.mark.parametrize("name", ["plain", "hostile", "linear"])
def test_findings_stand_on_the_page_with_their_evidence(request: pytest.FixtureRequest, name: str) -> None:
    page: Page = request.getfixturevalue(name)
    found = findings.find(load.read(page.study), KEY)
    ids = {node.attributes.get("id") for node in page.root.all()}
    text = page.root.text()
    for own in found:
        assert own.anchor in ids
        assert own.text in text
    assert len(found) >= 1


def test_the_rule_is_in_words() -> None:
    for wanted in (
        "interval excludes the chance level",
        "at most 0.05",
        "Benjamini and Hochberg",
        "Controls",
    ):
        assert wanted in findings.METHOD


def test_planted_studies_are_not_shared(study: Make) -> None:
    study().made["tests"].clear()
    assert study().made["tests"]
    assert isinstance(study(), planted.Study)
