import itertools
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.report import figures, load, style
from masklab.report.figures import broken

from . import builder, dom
from .conftest import Page


def _texts(page: Page, name: str) -> list[str]:
    return [node.text() for node in page.root.by_id(f"s1-{name}").all("text")]


def test_matrix_cells_are_the_numbers_of_results_json(plain: Page) -> None:
    drawn = _texts(plain, "matrices")
    wanted = [
        f"{row['estimate']['value']:.3f}"
        for row in plain.results["overlap"]
        if (row["layer"], row["metric"], row["block"]) == ("whole", "chance_corrected", "within")
    ]
    found = [text for text in drawn if re.fullmatch(r"-?\d+\.\d+", text)]
    assert sorted(found) == sorted(wanted)
    assert len(wanted) == 6 + 3
    most = max(
        (row for row in plain.results["overlap"] if row["a"] != row["b"] and row["block"] == "within"),
        key=lambda row: (
            row["metric"] == "chance_corrected",
            row["layer"] == "whole",
            row["estimate"]["value"],
        ),
    )
    (drawing,) = plain.root.by_id("s1-matrices").all("svg")
    low, high = most["estimate"]["low"], most["estimate"]["high"]
    assert drawing.attributes["aria-label"] == (
        f"The closest two populations are {most['a']} and {most['b']}, {most['seed']} seeds: "
        f"chance-corrected overlap {most['estimate']['value']:.3f} [{low:.3f}, {high:.3f}] "
        f"(n = {most['pairs']} pairs)."
    )


def test_layers_stand_in_network_order(plain: Page) -> None:
    names = [text for text in _texts(plain, "layers") if text in builder.LAYERS]
    assert names == [*builder.LAYERS] * 2


def test_every_member_is_a_point(plain: Page) -> None:
    """Markers are `use` elements in the colour of their population."""
    colours = style.theme([load.read(plain.study)]).colours
    drawn = list(plain.root.by_id("s1-accuracy").all("use"))
    for name, colour in colours.items():
        members = [member for member in plain.results["members"] if member["population"] == name]
        assert sum(f"fill: {colour}" in node.attributes["style"] for node in drawn) == len(members)


def test_embedding_axes_show_the_explained_share(plain: Page) -> None:
    """Of the masks and of the twin each their own; what the results say in words is not said twice."""
    row = plain.results["embeddings"][0]
    drawn = _texts(plain, "embeddings")
    for explained in (row["explained"], row["twin"]["explained"]):
        assert drawn.count(f"axis 1 ({100.0 * explained[0]:.1f} %)") == 1
    assert "islands from noise" in plain.root.by_id("s1-embeddings").text()


def test_heat_map_groups_blocks(plain: Page) -> None:
    """With 18 members every row is named; masks of one draw of base weights stand together."""
    rows = [text for text in _texts(plain, "distances") if re.search(r"/\d{4}$", text)]
    blocks = {member["id"]: member["block"] for member in plain.results["members"]}
    order = [blocks[name] for name in rows]
    assert len(order) == 18
    assert sum(a != b for a, b in itertools.pairwise(order)) == 1


def _points(*values: float) -> list[broken.Span]:
    return [(value, value) for value in values]


def test_a_far_outlier_breaks_the_axis() -> None:
    ranges = broken.ranges(_points(10.0, 11.0, 85.0, 86.0, 87.0))
    assert [(low < value < high) for (low, high), value in zip(ranges, (10.0, 86.0), strict=True)] == [
        True,
        True,
    ]
    assert ranges[0][1] < ranges[1][0]
    assert len(broken.ranges(_points(84.0, 85.0, 86.0, 90.0))) == 1
    ((low, high),) = broken.ranges(_points(50.0))
    assert low < 50.0 < high


@given(
    st.lists(
        st.tuples(st.floats(-100.0, 100.0), st.floats(0.0, 50.0)).map(lambda own: (own[0], own[0] + own[1])),
        min_size=1,
    )
)
def test_every_span_lies_in_one_part_of_a_broken_axis(spans: list[broken.Span]) -> None:
    ranges = broken.ranges(spans)
    assert len(ranges) <= 2
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ranges))
    for low, high in spans:
        assert sum(begin < low <= high < end for begin, end in ranges) == 1


def test_means_with_wide_intervals_keep_the_axis_whole(plain: Page) -> None:
    """Members at 10 and at 90 %, and a mean whose interval reaches from one to the other."""
    analysis = load.read(plain.study)
    row = analysis.results.accuracy[0]
    theme = style.theme([analysis])
    gone = [analysis.results.members[0].model_copy(update={"accuracy": 0.1}), *analysis.results.members[1:]]
    parts = []
    for low in (0.8, 0.05):
        wide = row.model_copy(update={"estimate": row.estimate.model_copy(update={"low": low})})
        rows = [wide, *analysis.results.accuracy[1:]]
        results = analysis.results.model_copy(update={"members": gone, "accuracy": rows})
        drawn = figures.ALL["accuracy"](load.Analysis(analysis.directory, results, None), theme, "k")
        axes = re.findall(r'id="k-axes_\d+"', str(drawn.svg))
        parts.append(len(axes))
    assert parts == [2, 1]


def test_names_are_not_read_as_mathematics_or_dropped(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=2, members=3, landscape=True)
    text = (tmp_path / "analysis" / "results.json").read_text(encoding="utf-8")
    odd = "_$x^{2}$_"
    (tmp_path / "analysis" / "results.json").write_text(
        text.replace("edge-popup-d0.5", odd), encoding="utf-8"
    )
    names = [f"{odd if p == 0 else 'biprop-d0.5'}/{i:04d}" for p in range(2) for i in range(3)]
    path = tmp_path / "analysis" / "overlap.npz"
    with np.load(path) as arrays:
        hamming = arrays["hamming"]
    np.savez(path, ids=np.array(names), hamming=hamming)
    analysis = load.read(tmp_path)
    theme = style.theme([analysis])
    for name, draw in figures.ALL.items():
        drawn = draw(analysis, theme, name)
        texts = [node.text() for node in dom.parse(str(drawn.svg)).all("text")]
        assert odd in texts, name
    assert len(results["populations"]) == 2


def test_drawing_leaves_no_state_behind(plain: Page) -> None:
    import matplotlib.pyplot as plt

    before = mpl.rcParams.copy()
    analysis = load.read(plain.study)
    figures.ALL["distances"](analysis, style.theme([analysis]), "again")
    changed = {key for key in before if key != "backend" and mpl.rcParams[key] != before[key]}
    assert changed == set()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("populations", [10, 11])
def test_every_population_has_its_own_colour(plain: Page, populations: int) -> None:
    analysis = load.read(plain.study)
    template = analysis.results.populations[0]
    many = [template.model_copy(update={"name": f"p{n}"}) for n in range(populations)]
    results = analysis.results.model_copy(update={"populations": many})
    colours = style.theme([load.Analysis(analysis.directory, results, None)]).colours
    assert len(set(colours.values())) == populations


def test_inline_changes_tags_but_never_text() -> None:
    document = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="9pt" viewBox="0 0 9 9"><metadata>x</metadata>'
        '<g id="a"><use xlink:href="#a" style="fill: #010203"/><g clip-path="url(#a)"/></g>'
        '<text>id="a" #010203 url(#a) href="#a"</text></svg>'
    )
    drawn = str(style.inline(document, "k", 'say "it" <now>', 96.0))
    root = dom.parse(drawn)
    (text,) = root.all("text")
    assert text.text() == 'id="a" #010203 url(#a) href="#a"'
    (svg,) = root.all("svg")
    assert svg.attributes["aria-label"] == 'say "it" <now>'
    assert svg.attributes["viewbox"] == "0 0 9 9"
    assert 'id="k-a"' in drawn
    assert 'xlink:href="#k-a" style="fill: currentColor"' in drawn
    assert "url(#k-a)" in drawn
    assert "metadata" not in drawn
