from dataclasses import replace

import numpy as np
import pytest

from masklab.report import load, records, style
from masklab.report.explorer import data


def _with(analysis: load.Analysis, **update: object) -> load.Analysis:
    return replace(analysis, results=analysis.results.model_copy(update=update))


def _points(analysis: load.Analysis, where: list[tuple[float, float]]) -> list[records.Point]:
    ids = list(analysis.members)
    return [records.Point(id=name, x=x, y=y) for name, (x, y) in zip(ids, where, strict=False)]


def _placed(analysis: load.Analysis, where: list[tuple[float, float]]) -> data.Document:
    row = analysis.results.embeddings[0].model_copy(update={"points": _points(analysis, where)})
    (found,) = data.embeddings(_with(analysis, embeddings=[row]))
    return found["members"]


def test_columns_of_members_are_the_members(small: load.Analysis) -> None:
    unknown = small.results.members[3].model_copy(update={"accuracy": None})
    members = [*small.results.members[:3], unknown, *small.results.members[4:]]
    analysis = _with(small, members=members)
    columns = data.members(analysis)
    populations = data.populations(analysis, style.theme([analysis]))
    for place, member in enumerate(members):
        assert columns["id"][place] == member.id
        assert populations[columns["population"][place]]["name"] == member.population
        assert (columns["draw"][place], columns["index"][place]) == (member.block, member.index)
        if member.accuracy is None:
            assert columns["accuracy"][place] is None
        else:
            assert columns["accuracy"][place] == pytest.approx(member.accuracy, abs=1e-6)
    assert columns["accuracy"].count(None) == 1
    assert {len(column) for column in columns.values()} == {len(members)}


def test_places_keep_all_distances_but_for_one_factor(small: load.Analysis) -> None:
    """Units of both axes are equal, and the longer of both fills the square."""
    for row, drawn in zip(small.results.embeddings, data.embeddings(small), strict=True):
        given = np.array([[point.x, point.y] for point in row.points])
        placed = np.array([drawn["members"]["x"], drawn["members"]["y"]]).T
        assert [list(small.members)[i] for i in drawn["members"]["member"]] == [p.id for p in row.points]
        factor = data.SIDE / np.ptp(given, axis=0).max()
        apart = np.linalg.norm(given[:, None] - given[None], axis=2) * factor
        assert np.abs(np.linalg.norm(placed[:, None] - placed[None], axis=2) - apart).max() <= 1.5
        assert placed.min() >= 0
        assert placed.max() <= data.SIDE
        assert np.ptp(placed, axis=0).max() == data.SIDE


@pytest.mark.parametrize("spread", [0.0, 1e-320])
def test_equal_places_are_one_point_in_the_middle(small: load.Analysis, spread: float) -> None:
    found = _placed(small, [(2.5, -1.0), (2.5, -1.0 + spread), (2.5, -1.0)])
    assert found["x"] == found["y"] == [data.SIDE / 2] * 3


def test_a_line_of_points_lies_in_the_middle(small: load.Analysis) -> None:
    found = _placed(small, [(0.0, 7.0), (1.0, 7.0), (4.0, 7.0)])
    assert found["x"] == [0, data.SIDE / 4, data.SIDE]
    assert found["y"] == [data.SIDE / 2] * 3


def test_every_plane_says_what_it_means(small: load.Analysis) -> None:
    pcoa, umap = data.embeddings(small)
    shares = small.results.embeddings[0].explained
    assert shares is not None
    across, up = shares
    assert across is not None
    assert up is not None
    assert pcoa["members"]["meaning"] == f"{100 * across:.1f} % of the inertia across, {100 * up:.1f} % up"
    assert umap["twin"]["meaning"] == "the axes have no meaning"
    assert small.results.embeddings[1].distinguishable is False
    assert umap["members"]["meaning"] == "cannot be told from random masks"


def test_an_embedding_without_points_is_left_out_and_one_without_a_twin_is_not(small: load.Analysis) -> None:
    first, second = small.results.embeddings
    (found,) = data.embeddings(
        _with(
            small,
            embeddings=[first.model_copy(update={"points": []}), second.model_copy(update={"twin": None})],
        )
    )
    assert (found["method"], found["twin"]) == ("umap", None)
