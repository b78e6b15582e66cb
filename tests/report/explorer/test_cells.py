import base64
import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from masklab.report import load
from masklab.report.explorer import cells

from . import studies


def _made(analysis: load.Analysis) -> cells.Cells:
    found = cells.make(analysis)
    assert found is not None
    return found


def _values(found: cells.Cells) -> np.ndarray:
    """The document's distances, NaN where there is no pair, unpacked one by one."""
    n = len(found.groups)
    levels = iter(np.frombuffer(base64.b64decode(found.document["values"]), "<u2").tolist())
    whole = np.full((n, n), np.nan)
    for i, j in itertools.combinations_with_replacement(range(n), 2):
        level = next(levels)
        if level != 65_535:
            whole[i, j] = whole[j, i] = found.document["low"] + level * found.document["step"]
    assert next(levels, None) is None
    return whole


def _distances(analysis: load.Analysis) -> load.Distances:
    assert analysis.distances is not None
    return analysis.distances


def _of(analysis: load.Analysis, hamming: np.ndarray) -> load.Analysis:
    ids = _distances(analysis).ids[: len(hamming)]
    return replace(analysis, distances=load.Distances(ids, hamming))


def test_each_member_has_a_row_in_clustered_order(small: load.Analysis) -> None:
    distances, found = _distances(small), _made(small)
    tree = hierarchy.average(squareform(distances.hamming, checks=False))
    leaves = hierarchy.dendrogram(tree, no_plot=True)["leaves"]
    ids = list(small.members)
    assert [[ids[i] for i in group] for group in found.groups] == [[distances.ids[at]] for at in leaves]
    assert not found.aggregated


def test_cells_are_the_distances(small: load.Analysis) -> None:
    distances, found = _distances(small), _made(small)
    at = [distances.ids.index(list(small.members)[i]) for (i,) in found.groups]
    wanted = distances.hamming[np.ix_(at, at)].copy()
    np.fill_diagonal(wanted, np.nan)
    step = found.document["step"]
    assert 0.0 < step < 1e-5
    np.testing.assert_allclose(_values(found), wanted, atol=0.51 * step)
    off = wanted[~np.isnan(wanted)]
    assert (found.low, found.high) == (off.min(), off.max())


@pytest.mark.parametrize("count", [2, 3, 4])
def test_equal_masks_are_all_at_one_distance(small: load.Analysis, count: int) -> None:
    found = _made(_of(small, np.zeros((count, count))))
    values = _values(found)
    assert np.isnan(np.diag(values)).all()
    assert (values[~np.eye(count, dtype=bool)] == 0.0).all()


def test_without_pairs_there_is_no_heat_map(small: load.Analysis) -> None:
    assert cells.make(replace(small, distances=None)) is None
    assert cells.make(_of(small, np.zeros((1, 1)))) is None


def test_many_members_are_aggregated_into_neighbours_of_one_population_and_draw(
    thousand: load.Analysis,
) -> None:
    found = _made(thousand)
    members = list(thousand.members.values())
    assert found.aggregated
    assert len(found.groups) <= cells.MOST
    assert sorted(itertools.chain.from_iterable(found.groups)) == list(range(1000))
    for group in found.groups:
        assert len({(members[i].population, members[i].block) for i in group}) == 1
    # six cells of 166 or 167 members: with groups of 8 there would be 6 · 21 = 126
    assert max(map(len, found.groups)) == 9
    assert max(map(len, found.groups)) - min(map(len, found.groups)) <= 1


def test_aggregated_cells_are_means_over_pairs_of_different_members(thousand: load.Analysis) -> None:
    found, distances = _made(thousand), _distances(thousand)
    hamming = {
        (a, b): value
        for a, row in zip(distances.ids, distances.hamming, strict=True)
        for b, value in zip(distances.ids, row, strict=True)
    }
    ids, values = list(thousand.members), _values(found)
    for i, j in [(0, 0), (0, 1), (3, 90), (50, 50), (len(found.groups) - 1, 2)]:
        pairs = [(ids[a], ids[b]) for a in found.groups[i] for b in found.groups[j] if a != b]
        wanted = np.mean([hamming[pair] for pair in pairs])
        assert values[i, j] == pytest.approx(wanted, abs=found.document["step"])


def test_groups_stand_in_clustered_order(thousand: load.Analysis) -> None:
    distances = _distances(thousand)
    order = [
        distances.ids[at] for at in hierarchy.leaves_list(hierarchy.average(squareform(distances.hamming)))
    ]
    ids = list(thousand.members)
    at = [np.mean([order.index(ids[i]) for i in group]) for group in _made(thousand).groups]
    assert at == sorted(at)


@pytest.mark.parametrize(("members", "most"), [(120, 1), (121, 2)])
def test_the_limit_is_where_it_is_said_to_be(
    small: load.Analysis, tmp_path_factory: pytest.TempPathFactory, members: int, most: int
) -> None:
    analysis = studies.many(small, tmp_path_factory.mktemp("limit"), members, lines=2)
    assert max(map(len, _made(analysis).groups)) == most


def test_with_more_draws_than_rows_groups_are_of_one_population_alone(
    small: load.Analysis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    analysis = studies.many(small, tmp_path_factory.mktemp("draws"), 150, lines=2)
    members = [member.model_copy(update={"block": at}) for at, member in enumerate(analysis.results.members)]
    drawn = replace(analysis, results=analysis.results.model_copy(update={"members": members}))
    found = _made(drawn)
    assert max(map(len, found.groups)) == 2
    for group in found.groups:
        assert len({members[i].population for i in group}) == 1


def test_chance_levels_are_those_of_the_results(small: load.Analysis) -> None:
    chance = _made(small).document["chance"]
    names = small.names
    rows = [row for row in small.results.overlap if (row.metric, row.layer) == ("hamming", "whole")]
    assert rows
    for row in rows:
        a, b = names.index(row.a), names.index(row.b)
        assert chance[a][b] == chance[b][a] == pytest.approx(row.chance, abs=1e-6)
    assert (
        _made(replace(small, results=small.results.model_copy(update={"overlap": []}))).document["chance"]
        == [[None] * 3] * 3
    )
