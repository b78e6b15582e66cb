import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.analysis import design as designs
from masklab.analysis.counts import tallies
from masklab.archive import directory
from masklab.errors import ArchiveError, ConfigError

from .. import builder
from . import studies


def same(first, second):
    """Two tallies hold the same integers."""
    assert first.layers == second.layers
    np.testing.assert_array_equal(first.kept, second.kept)
    for name in ("whole", "within"):
        a, b = getattr(first, name), getattr(second, name)
        for field in ("kept", "products", "shared", "alone", "missing"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
        for one, other in zip(a.histograms, b.histograms, strict=True):
            np.testing.assert_array_equal(one, other)


def check_groups(found, masks, groups, cells):
    """Compare with counts of unpacked masks."""
    division = groups.division
    population_of = list(found.design.population)
    for at, table in enumerate(masks.values()):
        members = table.astype(int)
        for group in range(len(division.population)):
            own = np.flatnonzero(division.of == group)
            assert list(own) in cells
            count = members[own].sum(axis=0)
            assert groups.histograms[group][at].tolist() == [(count == t).sum() for t in range(len(own) + 1)]
            assert groups.squares[at, group] == (count**2).sum()
            assert groups.kept[at, group] == count.sum()
            for member in own:
                others = count - members[member]
                kept = members[member] == 1
                assert groups.shared[at, member] == count[kept].sum()
                assert groups.alone[at, member] == (kept & (others == 0)).sum()
                assert groups.missing[at, member] == (~kept & (others == len(own) - 1)).sum()
            for other in np.flatnonzero(division.place == division.place[group]):
                theirs = members[division.of == other].sum(axis=0)
                pair = population_of[own[0]], division.population[other]
                assert groups.products[at, division.place[group]][pair] == (count * theirs).sum()


@given(studies.studies())
@settings(deadline=None, max_examples=50)
def test_every_integer_is_that_of_the_unpacked_masks(study):
    masks, members = study[0], studies.members(*study[1])
    found = tallies.from_masks(masks, members)
    assert found.layers == list(masks) and found.sizes.tolist() == [x.shape[1] for x in masks.values()]
    np.testing.assert_array_equal(found.kept, [table.sum(axis=1) for table in masks.values()])
    check_groups(found, masks, found.whole, list(studies.groups(members, "all").values()))
    cells = studies.groups(members, "within")
    check_groups(found, masks, found.within, list(cells.values()))
    assert len(found.whole.division.sizes) == len(members.names)
    spread = {draw for (_, draw), own in cells.items() if len(own) > 1}
    if members.draws > 1:
        expected = sum(draw in spread for _, draw in cells)
        assert len(found.within.division.sizes) == expected
        assert found.within.division.sets == len(spread)
    else:
        assert found.within is found.whole


@given(studies.studies(), st.integers(1, 40))
@settings(deadline=None, max_examples=50)
def test_chunks_of_members_and_columns_change_nothing(study, times):
    masks, members = study[0], studies.members(*study[1])
    columns = 2 * 8 * 30  # counts of eight columns of thirty groups
    same(tallies.from_masks(masks, members, 4 * columns * times), tallies.from_masks(masks, members))


def test_many_members_are_summed_beyond_a_byte():
    random = np.random.default_rng(0)
    masks = {"fc": np.concatenate([random.random((600, 70)) < 0.5, np.ones((600, 9), dtype=bool)], axis=1)}
    members = studies.members({"a": range(600)})
    found = tallies.from_masks(masks, members)
    assert found.whole.histograms[0][0, 600] == 9
    assert found.whole.squares[0, 0] == (masks["fc"].sum(axis=0).astype(int) ** 2).sum()
    same(tallies.from_masks(masks, members, 3000), found)


def test_stored_masks_give_the_same_as_masks_in_memory(tmp_path):
    masks = builder.random_masks({"a": 0.3, "b": 0.6}, members=5)
    archive = builder.build(tmp_path, masks, draws=2)
    design = designs.of(archive)
    flat = [mask for own in masks.values() for mask in own]
    tables = {layer: np.stack([mask[layer].ravel() for mask in flat]) for layer in builder.SHAPES}
    expected = tallies.from_masks(tables, design)
    same(tallies.tally(archive, design), expected)
    same(tallies.tally(archive, design, 2000), expected)
    part = design.only([3, 0, 7])
    same(tallies.tally(archive, part), tallies.from_masks({k: v[[3, 0, 7]] for k, v in tables.items()}, part))


def test_no_members_have_no_layers(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.3}, members=1))
    found = tallies.tally(archive, designs.of(archive, []))
    assert found.layers == [] and found.kept.shape == (0, 0) and found.whole.products.shape == (0, 0, 0, 0)


def test_memory_that_holds_no_mask_is_refused_with_what_is_needed():
    members = studies.members({"a": [0]})
    masks = {"fc": np.zeros((1, 8000), dtype=bool)}
    with pytest.raises(ConfigError, match=r"memory = 3999 bytes .* mask of 8,000 weights; at least 4000 "):
        tallies.from_masks(masks, members, 3999)
    assert tallies.from_masks(masks, members, 4000).kept.tolist() == [[0]]


def test_a_missing_member_is_an_archive_error(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.3}, members=2))
    design = designs.of(archive)
    directory.member_path(tmp_path, "a", 1).unlink()
    with pytest.raises(ArchiveError, match=r"0001"):
        tallies.tally(archive, design)


def test_thousands_of_members_take_no_pairs():
    random = np.random.default_rng(0)
    masks = {"fc": random.random((2000, 20_000), dtype=np.float32) < 0.5}
    members = studies.members({"a": range(2000)})
    found = tallies.from_masks(masks, members)
    counts = masks["fc"].sum(axis=0)
    np.testing.assert_array_equal(found.whole.shared[0, :50], masks["fc"][:50].astype(float) @ counts)
    np.testing.assert_array_equal(found.whole.histograms[0][0], np.bincount(counts, minlength=2001))
