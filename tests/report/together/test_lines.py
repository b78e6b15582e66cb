import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.report.together import lines, measures, points

from .. import variants
from . import studies
from .conftest import Base

AXES = (lines.DENSITY, lines.WIDTH, lines.NETWORK)


def _panels(
    axis: lines.Axis, *results: studies.Row
) -> tuple[list[lines.Panel], list[points.Point], list[points.Point]]:
    found = points.gather([studies.analysis(own) for own in results])
    return (*lines.panels(found, axis, measures.ACCURACY.get), found)


def _names(panel: lines.Panel) -> dict[str, list[str]]:
    return {line.label: [point.name for _, point in line.places] for line in panel.lines}


def test_densities_of_one_study_are_one_panel_with_a_line_per_pruner(dense: studies.Row) -> None:
    (panel,), rest, _ = _panels(lines.DENSITY, dense)
    assert rest == []
    assert panel.title == ""
    assert panel.places == sorted(studies.DENSITIES)
    assert _names(panel) == {
        pruner: [f"{pruner}-d{density:g}" for density in sorted(studies.DENSITIES)]
        for pruner in ("edge-popup", "biprop", "biprop+recycle")
    }


def test_one_density_is_no_axis(base: studies.Row) -> None:
    for axis in AXES:
        assert _panels(axis, base)[0] == []
        assert not lines.varies(points.gather([studies.analysis(base)]), axis)


def test_studies_that_share_the_rest_make_one_line(base: studies.Row) -> None:
    low, high = studies.spread(base, [0.1, 0.2]), studies.spread(base, [0.5])
    high["study"]["name"] = "high"
    (panel,), rest, _ = _panels(lines.DENSITY, low, high)
    assert rest == []
    assert [place for place, _ in panel.lines[0].places] == [0.1, 0.2, 0.5]
    assert {point.study for point in panel.points} == {low["study"]["name"], "high"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 30}, "epochs 30"),
        ({"optimizer": "adam"}, "optimizer adam"),
        ({"batch_size": 7}, "batch size 7"),
        ({"network": "conv6"}, "conv6"),
        ({"width": 2.0}, "width 2"),
        ({"data": "mnist"}, "mnist"),
    ],
)
def test_another_recipe_is_another_panel_that_says_so(
    base: studies.Row, changes: dict[str, Any], said: str
) -> None:
    first = studies.spread(base, [0.1, 0.5])
    second = studies.other(first, "second", **changes)
    panels, rest, _ = _panels(lines.DENSITY, first, second)
    assert rest == []
    assert len(panels) == 2
    assert panels[1].title == said
    assert panels[0].title not in {"", said}
    for panel, study in zip(panels, (first["study"]["name"], "second"), strict=True):
        assert {point.study for point in panel.points} == {study}


@pytest.mark.parametrize("changes", [{"epochs": 30}, {"network": "conv6"}, {"width": 2.0}, {"data": "mnist"}])
def test_another_recipe_at_another_density_is_no_line(base: studies.Row, changes: dict[str, Any]) -> None:
    second = studies.other(studies.spread(base, [0.5]), "second", **changes)
    panels, rest, found = _panels(lines.DENSITY, studies.spread(base, [0.1]), second)
    assert panels == []
    assert rest == found


def test_settings_without_effect_do_not_part_studies(base: studies.Row) -> None:
    first = studies.spread(base, [0.1])
    second = studies.other(studies.spread(base, [0.5]), "second", ramp_epochs=9)
    second["study"]["network"]["batchnorm"] = "learned"  # there is none
    second["study"]["seeds"]["study"] = 5
    second["study"]["seeds"]["weights"] = 4
    (panel,), _, _ = _panels(lines.DENSITY, first, second)
    assert len(panel.places) == 2
    second["study"]["seeds"]["weights"] = "member"
    assert _panels(lines.DENSITY, first, second)[0] == []


def test_equal_studies_are_never_pooled(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    panels, _, _ = _panels(lines.DENSITY, first, studies.other(first, "again"))
    assert [panel.title for panel in panels] == [first["study"]["name"], "again"]


def test_equal_names_of_different_images_are_told_apart(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    second = studies.other(first, "second")
    second["study"]["data"]["digest"] = "99" * 32
    panels, _, _ = _panels(lines.DENSITY, first, second)
    assert [panel.title for panel in panels] == [
        "cifar10 (digest c1c1c1c1, 45,000 training images)",
        "cifar10 (digest 99999999, 45,000 training images)",
    ]
    assert panels[0].data != panels[1].data


def test_widths_and_networks_are_lines_over_studies(base: studies.Row) -> None:
    found = [
        base,
        studies.other(base, "wide", width=1.0),
        studies.other(base, "wider", width=2.0),
        studies.other(base, "deep", network="conv6"),
    ]
    (panel,), rest, _ = _panels(lines.WIDTH, *found)
    assert panel.places == [0.5, 1.0, 2.0]
    assert {point.study for point in rest} == {"deep"}
    (panel,), rest, _ = _panels(lines.NETWORK, *found)
    assert panel.places == ["conv4", "conv6"]
    assert {point.study for point in rest} == {"wide", "wider"}


def test_width_has_a_panel_per_density(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    panels, _, _ = _panels(lines.WIDTH, first, studies.other(first, "wide", width=2.0))
    assert [panel.title for panel in panels] == ["density 0.1", "density 0.5"]


def test_options_part_the_lines_of_a_pruner_and_name_them(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    for row in first["populations"]:
        if row["pruner"] == "biprop+recycle" and row["density"] == 0.5:
            row["options"] = {"rate": 0.3, "period": 3}
        if row["pruner"] == "biprop" and row["density"] == 0.1:
            row["overrides"] = {"weight_init": "uniform"}
    (panel,), _, _ = _panels(lines.DENSITY, first)
    assert _names(panel) == {
        "edge-popup": ["edge-popup-d0.1", "edge-popup-d0.5"],
        "biprop (weight_init = uniform)": ["biprop-d0.1"],
        "biprop (no weight_init)": ["biprop-d0.5"],
        "biprop+recycle (rate = 0.2)": ["biprop+recycle-d0.1"],
        "biprop+recycle (rate = 0.3)": ["biprop+recycle-d0.5"],
    }
    assert [line.style for line in panel.lines] == [0, 0, 1, 0, 1]


def test_twins_of_one_study_are_told_apart_by_their_names(base: studies.Row) -> None:
    first = studies.spread(base, [0.1, 0.5])
    studies.add_control(first, "one", "random")
    studies.add_control(first, "two", "random")
    (panel,), _, _ = _panels(lines.DENSITY, first)
    assert _names(panel)["random · one"] == ["one"]
    assert _names(panel)["random · two"] == ["two"]


def test_a_population_that_an_option_names_counts_as_its_pruner(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    for density in (0.1, 0.5):
        studies.add_control(results, f"shuffled-d{density}", "shuffled", of=f"biprop-d{density}")
        results["populations"][-1]["density"] = density
    (panel,), _, _ = _panels(lines.DENSITY, results)
    assert _names(panel)["shuffled"] == ["shuffled-d0.1", "shuffled-d0.5"]


def test_a_reference_stands_beside_masks_of_any_density(base: studies.Row) -> None:
    variants.add_reference(base)
    results = studies.spread(base, [0.1, 0.5])
    (panel,), _, _ = _panels(lines.DENSITY, results)
    assert _names(panel)["dense"] == ["dense-d1"]
    panels, rest, _ = _panels(lines.WIDTH, results, studies.other(results, "wide", width=2.0))
    assert [panel.title for panel in panels] == ["density 0.1", "density 0.5"]
    assert [_names(panel)["dense (density 1)"] for panel in panels] == [["dense-d1", "dense-d1"]] * 2
    assert rest == []


def test_references_alone_are_lines_too(base: studies.Row) -> None:
    variants.add_reference(base)
    base["populations"] = base["populations"][-1:]
    for key in ("members", "accuracy"):
        base[key] = [row for row in base[key] if row["population"] == "dense-d1"]
    variants.clear(base)
    (panel,), _, _ = _panels(lines.WIDTH, base, studies.other(base, "wide", width=2.0))
    assert _names(panel) == {"dense (density 1)": ["dense-d1", "dense-d1"]}


def test_imported_populations_are_on_no_axis(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    foreign = {"format": "openlth", "weights": "none", "files": [], "unknown": []}
    results["populations"][0]["imported"] = foreign
    panels, rest, found = _panels(lines.DENSITY, results)
    name = results["populations"][0]["name"]
    assert name not in {point.name for point in (*found, *rest)}
    assert points.left_out([studies.analysis(results)]) == [name]
    assert panels


def test_undefined_values_are_in_neither(base: studies.Row) -> None:
    results = studies.spread(base, [0.1, 0.5])
    for row in results["accuracy"]:
        if row["population"] == "biprop-d0.1":
            row["estimate"].update(value=None, low=None, high=None, why="none")
    (panel,), rest, _ = _panels(lines.DENSITY, results)
    assert _names(panel)["biprop"] == ["biprop-d0.5"]
    assert rest == []


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
@settings(max_examples=12, deadline=None)
@given(
    chosen=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.sampled_from([20, 30]),
                "width": st.sampled_from([0.5, 1.0]),
                "network": st.sampled_from(["conv4", "conv6"]),
                "data": st.sampled_from(["cifar10", "mnist"]),
            },
        ),
        min_size=1,
        max_size=5,
    ),
    densities=st.lists(st.sampled_from([(0.5,), (0.1, 0.5), (0.1,)]), min_size=5, max_size=5),
)
def test_a_line_joins_only_what_differs_in_nothing_else(
    axis: lines.Axis, chosen: list[dict[str, Any]], densities: list[tuple[float, ...]], slim: Base
) -> None:
    """Against the definition, over every two points of a line and every point of the page."""
    base = slim()
    results = [
        studies.other(studies.spread(base, own), f"study-{number}", **changes)
        for number, (changes, own) in enumerate(zip(chosen, densities, strict=False))
    ]
    panels, rest, found = _panels(axis, *results)
    shown = [point for panel in panels for point in panel.points]
    assert len({id(point) for point in (*shown, *rest)}) == len(shown) + len(rest) == len(found)
    for panel in panels:
        assert any(len(line.places) > 1 for line in panel.lines)
        assert len({point.settings["data"].identity for point in panel.points}) == 1
        for line in panel.lines:
            places = [place for place, _ in line.places]
            assert len(set(places)) == len(places)
            for (_, one), (_, other) in itertools.combinations(line.places, 2):
                assert one.population.pruner == other.population.pruner == line.pruner
                assert one.options == other.options
                skipped = {axis.name, *axis.implied}
                assert {key: own for key, own in one.settings.items() if key not in skipped} == {
                    key: own for key, own in other.settings.items() if key not in skipped
                }
    titles = [panel.title for panel in panels]
    assert len(set(titles)) == len(titles)
    assert all(titles) or len(titles) == 1
