import itertools
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import altair as alt
import pytest

from masklab.report import explorer, load, payload, style
from masklab.report.explorer import cells, curves

from .. import builder
from . import studies


def _made(analysis: load.Analysis) -> explorer.Explorer:
    found = explorer.make(analysis, style.theme([analysis]), "s1")
    assert found is not None
    return found


def _compressed(found: explorer.Explorer) -> int:
    return len(payload.pack(found.document)) * 3 // 4


@pytest.fixture(scope="module")
def made(small: load.Analysis) -> explorer.Explorer:
    """The explorer of the small study."""
    return _made(small)


def test_the_caption_says_what_is_shown(made: explorer.Explorer) -> None:
    caption = made.caption
    assert caption.startswith("n = 18 members. ")
    assert "Distances: cell by cell." in caption
    assert "all 153 pairs that were measured, of 15 kinds of pairs" in caption
    assert (
        f"Dashed: chance level {100 * studies.CHANCE:.1f} %, that of always the most common class." in caption
    )


def test_the_caption_says_what_was_aggregated_and_left_out(thousand: load.Analysis) -> None:
    found = _made(thousand)
    heat, walked = cells.make(thousand), curves.read(thousand)
    assert heat
    assert isinstance(walked, curves.Curves)
    assert found.caption.startswith("n = 1,000 members. ")
    assert (
        f"1,000 members are aggregated into {len(heat.groups)} groups of at most 9 neighbours"
        in found.caption
    )
    assert f"400 of the 500 pairs that were measured, evenly over {walked.kinds} kinds" in found.caption
    assert f"Heat map of {len(heat.groups)} groups of 1,000 members" in found.document["labels"]["distances"]


def test_members_without_a_place_are_counted(small: load.Analysis) -> None:
    extra = small.results.members[0].model_copy(update={"id": "dense-d1/0000"})
    results = small.results.model_copy(update={"members": [*small.results.members, extra]})
    assert _made(replace(small, results=results)).caption.startswith("n = 18 members of 19 that are stored. ")


def test_equal_input_gives_an_equal_document_in_one_process(
    small: load.Analysis, made: explorer.Explorer
) -> None:
    """Altair numbers what has no name from a counter that goes on."""
    alt.layer(
        alt.Chart().mark_point().add_params(alt.selection_interval()), alt.Chart().mark_line()
    ).to_dict()
    with alt.theme.enable("dark"):
        second = _made(small)
    assert payload.pack(made.document) == payload.pack(second.document)
    assert made.caption == second.caption
    for spec in made.document["specs"].values():
        names = [layer["name"] for layer in spec["layer"]]
        assert len(names) == len(set(names))
        assert not re.search(r"\b(param|view|layer)_\d", json.dumps(spec))


def test_specifications_are_valid_and_hold_neither_data_nor_addresses(made: explorer.Explorer) -> None:
    specs = made.document["specs"]
    assert list(specs) == ["places", "distances", "curves"]
    for spec in specs.values():
        alt.LayerChart.from_dict(spec, validate=True)
        text = json.dumps(spec)
        assert "://" not in text
        assert 'values": [{' not in text
        assert not {"datasets", "$schema"} & set(spec)
        parameters = {parameter["name"] for parameter in spec["params"]}
        assert {"shade", "names", "known", "headline", "ink", "grid", "paper"} <= parameters


def test_draws_have_the_shapes_of_the_figures(small: load.Analysis) -> None:
    """Every marker that figures use has an outline."""
    members = [
        member.model_copy(update={"block": at % 10}) for at, member in enumerate(small.results.members)
    ]
    drawn = replace(small, results=small.results.model_copy(update={"members": members}))
    shape = _made(drawn).document["specs"]["places"]["layer"][0]["encoding"]["shape"]
    assert len(set(shape["scale"]["range"])) == len(shape["scale"]["domain"]) == 10
    assert shape["legend"]
    members = [member.model_copy(update={"block": at}) for at, member in enumerate(members)]
    drawn = replace(small, results=small.results.model_copy(update={"members": members}))
    shape = _made(drawn).document["specs"]["places"]["layer"][0]["encoding"]["shape"]
    assert set(shape["scale"]["range"]) == {"circle"}
    assert shape["legend"] is None


def test_there_is_none_without_an_embedding(small: load.Analysis, tmp_path: Path) -> None:
    results = small.results.model_copy(update={"embeddings": []})
    assert explorer.make(replace(small, results=results), style.theme([small]), "s1") is None
    builder.build(tmp_path, populations=1, members=1, draws=1)
    alone = load.read(tmp_path)
    assert explorer.make(alone, style.theme([alone]), "s1") is None


def test_what_is_missing_is_left_out_and_said(small: load.Analysis, tmp_path: Path) -> None:
    embeddings = [row.model_copy(update={"twin": None}) for row in small.results.embeddings]
    results = small.results.model_copy(update={"embeddings": embeddings})
    found = _made(replace(small, directory=tmp_path, results=results, distances=None))
    assert list(found.views) == list(found.document["specs"]) == list(found.document["labels"]) == ["places"]
    assert found.document["distances"] is found.document["curves"] is None
    assert not found.twins
    assert "Distances: not drawn, as there are none." in found.caption
    assert "Interpolation curves: not drawn, as the analysis holds no interpolation.csv." in found.caption
    assert "Chance level of the embedding: not known." in found.caption


def test_guessing_is_a_line_for_each_level(small: load.Analysis) -> None:
    rows = small.results.landscape
    none = replace(small, results=small.results.model_copy(update={"landscape": []}))
    assert "Chance level: not known." in _made(none).caption
    other = [rows[0].model_copy(update={"chance": 0.2}), *rows[1:]]
    assert (other[0].path, other[0].split) == ("linear", "test")
    both = _made(replace(small, results=small.results.model_copy(update={"landscape": other})))
    assert "chance level 10.3 to 20.0 %" in both.caption
    datums = [layer["encoding"]["y"].get("datum") for layer in both.document["specs"]["curves"]["layer"]]
    assert [value for value in datums if value is not None] == pytest.approx([10.3, 20.0])


def test_buttons_are_of_populations_that_have_members(small: load.Analysis) -> None:
    members = [member for member in small.results.members if member.population != small.names[1]]
    ids = {member.id for member in members}
    embeddings = [
        row.model_copy(update={"points": [point for point in row.points if point.id in ids], "twin": None})
        for row in small.results.embeddings
    ]
    results = small.results.model_copy(update={"members": members, "embeddings": embeddings})
    found = _made(replace(small, results=results, distances=None))
    theme = style.theme([small])
    assert [(row["place"], row["name"], row["colour"]) for row in found.populations] == [
        (place, small.names[place], theme.colours[small.names[place]]) for place in (0, 2)
    ]


def test_documents_are_small(
    small: load.Analysis, thousand: load.Analysis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hundred = studies.many(small, tmp_path_factory.mktemp("hundred"), 84)
    assert _compressed(_made(hundred)) <= 60_000
    assert _compressed(_made(thousand)) <= 400_000


def test_the_runtime_is_one_closed_text() -> None:
    """A thread may ask for it; nothing of it is seen from outside but what it sets."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(explorer.runtime()))
    thread.start()
    thread.join()
    assert found == [explorer.runtime()]
    assert found[0].startswith("(() => {\n")
    assert found[0].endswith("\n})();\n")
    assert "window.vegaEmbed = vegaEmbed;" not in found[0]  # the name inside is a short one
    assert re.findall(r"window\.vegaEmbed=[\w$]+", found[0])
    assert "</script" not in found[0].lower()
    assert len(found[0]) < 1_000_000


def test_labels_speak_of_numbers(small: load.Analysis, made: explorer.Explorer) -> None:
    labels = made.document["labels"]
    heat = cells.make(small)
    assert heat
    assert labels["places"].startswith("Scatter plot of 18 members")
    assert labels["distances"] == (
        f"Heat map of 18 members: Hamming distances from {heat.low:.3f} to {heat.high:.3f}."
    )
    values = list(itertools.chain.from_iterable(made.document["curves"]["accuracy"]))
    assert labels["curves"].endswith(f"from {100 * min(values):.1f} to {100 * max(values):.1f} %.")
