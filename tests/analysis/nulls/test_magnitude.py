from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab import bits
from masklab.analysis import chance, design, distances, nulls, overlap
from masklab.analysis.nulls import magnitude
from masklab.archive import Archive, Layer, Recipe
from tests.archive.exchange import samples

from .. import builder

SHAPES = {"conv1": (10, 10, 3, 3), "fc": (30, 80)}


def base_of(index, draws=1, shapes=SHAPES):
    """Flat base weights of a member of `builder.build`."""
    recipe = Recipe(0, index % draws, index, "kaiming-normal", 1.0)
    return {name: recipe.initial(Layer(name, shape, 1)) for name, shape in shapes.items()}


def by_magnitude(members, noise, draws=1, density=0.3):
    """Masks that keep the weights of largest noisy magnitude, and share nothing else."""
    random = np.random.default_rng(0)
    masks = []
    for index in range(members):
        mask = {}
        for name, base in base_of(index, draws).items():
            score = np.abs(base) / base.std() + noise * random.standard_normal(base.size)
            kept = np.zeros(base.size, dtype=bool)
            kept[np.argsort(score)[-bits.kept_count(base.size, density) :]] = True
            mask[name] = kept.reshape(SHAPES[name])
        masks.append(mask)
    return masks


def rows_of(archive, **wanted):
    members, measured = design.of(archive), distances.measure(archive)
    finer = magnitude.expected(archive, members.ids, measured.layers)
    rows = overlap.rows(members, measured, finer)
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_overlap_by_magnitude_alone_is_explained(tmp_path):
    archive = builder.build(tmp_path, {"a": by_magnitude(8, 0.5)})
    for layer in ("whole", *SHAPES):
        (plain,) = rows_of(archive, layer=layer, metric="chance_corrected")
        (finer,) = rows_of(archive, layer=layer, metric="chance_corrected_magnitude")
        assert plain["estimate"]["low"] > 0.25
        assert abs(finer["estimate"]["value"]) < 0.1 * plain["estimate"]["value"]


def test_other_agreement_is_not_explained(tmp_path):
    mask = builder.random_mask(0, 0.3, SHAPES)
    masks = [{name: layer.copy() for name, layer in mask.items()} for _ in range(4)]
    archive = builder.build(tmp_path, {"a": masks})
    (row,) = rows_of(archive, layer="whole", metric="chance_corrected_magnitude")
    assert row["estimate"]["value"] == pytest.approx(1)


def test_magnitude_explains_nothing_across_draws_of_base_weights(tmp_path):
    archive = builder.build(tmp_path, {"a": by_magnitude(8, 0.5, draws=2)}, draws=2)
    for block, least, most in (("within", 0.25, 1.0), ("across", -0.02, 0.02)):
        (plain,) = rows_of(archive, layer="whole", metric="chance_corrected", block=block)
        (finer,) = rows_of(archive, layer="whole", metric="chance_corrected_magnitude", block=block)
        assert least < plain["estimate"]["value"] < most
        assert abs(finer["estimate"]["value"]) < 0.03


@st.composite
def drawn_layers(draw):
    """Magnitudes with many ties and masks of a few members."""
    size, members = draw(st.integers(1, 500)), draw(st.integers(1, 4))
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    values = draw(st.sampled_from([1, 3, 50, 10**6]))
    return random.randint(0, values, (members, size)).astype(np.float32), random.random_sample(
        (members, size)
    ) < draw(st.floats(0, 1))


@given(drawn_layers())
@settings(deadline=None)
def test_bins_follow_ranks_and_do_not_split_ties(drawn):
    for row in drawn[0]:
        found = magnitude.bins(row)
        order = np.argsort(row, kind="stable")
        assert (np.diff(found[order].astype(int)) >= 0).all()
        assert all(len(set(found[row == value])) == 1 for value in set(row))
        assert found.max() < min(magnitude.BINS, max(1, len(row) // magnitude.LEAST))
        assert set(found) == set(range(found.max() + 1))
        if len(set(row)) == len(row):
            counts = np.bincount(found)
            assert len(counts) == min(magnitude.BINS, max(1, len(row) // magnitude.LEAST))
            assert counts.max() - counts.min() <= 1


@given(drawn_layers())
@settings(deadline=None)
def test_expectation_is_the_sum_over_weights(drawn):
    values, masks = drawn
    binned = [magnitude.bins(row) for row in values]
    rate = np.array(
        [[mask[own == one].mean() for one in own] for own, mask in zip(binned, masks, strict=True)]
    )
    found = magnitude._expected(binned, bits.pack(masks))
    np.testing.assert_allclose(found, rate @ rate.T, atol=1e-9)


def test_blocks_of_weights_add_up(monkeypatch):
    random = np.random.RandomState(0)
    binned = [magnitude.bins(random.random_sample(700)) for _ in range(3)]
    packed = bits.pack(random.random_sample((3, 700)) < 0.3)
    whole = magnitude._expected(binned, packed)
    monkeypatch.setattr(magnitude, "_COLUMNS", 128)
    np.testing.assert_allclose(magnitude._expected(binned, packed), whole, rtol=1e-12)


def test_expectation_agrees_with_permuting_within_bins():
    """Two members of different base weights, both permuted many times."""
    random = np.random.default_rng(1)
    size, repeats = 240, 4000
    values, masks = random.random((2, size)), random.random((2, size)) < 0.3
    masks[:, values[0] > 0.7] |= random.random((2, int((values[0] > 0.7).sum()))) < 0.6
    values[1] = values[0] + 0.2 * random.random(size)
    binned = [magnitude.bins(row) for row in values]
    shared = np.zeros(repeats)
    permuted = []
    for own, mask in zip(binned, masks, strict=True):
        made = np.zeros((repeats, size), dtype=bool)
        for one in np.unique(own):
            columns = np.flatnonzero(own == one)
            made[:, columns] = random.permuted(np.tile(mask[columns], (repeats, 1)), axis=1)
        permuted.append(made)
    shared = (permuted[0] & permuted[1]).sum(axis=1)
    expected = magnitude._expected(binned, bits.pack(masks))[0, 1]
    assert abs(shared.mean() - expected) < 4 * shared.std() / np.sqrt(repeats)
    by_chance = masks[0].sum() * masks[1].sum() / size
    assert expected - by_chance > 20 * shared.std() / np.sqrt(repeats)


def test_constant_magnitudes_give_the_plain_chance_level(tmp_path, monkeypatch):
    archive = builder.build(tmp_path, {"a": by_magnitude(4, 0.5)})
    signs = {
        member: {name: np.sign(base) for name, base in archive.weights(member).items()}
        for member in archive.ids
    }
    monkeypatch.setattr(archive, "weights", signs.__getitem__)
    measured = distances.measure(archive)
    found = magnitude.expected(archive, archive.ids, measured.layers)
    for layer in (None, *measured.layers):
        sizes, shared = measured.strata(layer)
        kept = np.ascontiguousarray(shared.diagonal(axis1=1, axis2=2))
        np.testing.assert_allclose(
            found.expectation(layer), chance.expected_intersection(sizes, kept), rtol=1e-12
        )


def test_the_first_members_of_each_population_are_taken(tmp_path, monkeypatch):
    masks = builder.random_masks({"a": 0.5, "b": 0.3}, members=4)
    masks["a"][1] = None
    archive = builder.build(tmp_path, masks)
    layers = [layer["name"] for layer in archive.study["network"]["layers"]]
    assert magnitude.expected(archive, archive.ids, layers).ids == archive.ids
    monkeypatch.setattr(magnitude, "MEMBERS", 3)
    found = magnitude.expected(archive, archive.ids, layers)
    assert found.ids == ["a/0000", "a/0002", "a/0003", "b/0000", "b/0001", "b/0002"]
    assert found.expected.shape == (len(layers), 6, 6)
    monkeypatch.setattr(magnitude, "WEIGHTS", 1)
    few = magnitude.expected(archive, archive.ids, layers)
    assert few.ids == ["a/0000", "a/0002", "b/0000", "b/0001"]
    places = [found.ids.index(member) for member in few.ids]
    np.testing.assert_array_equal(few.expected, found.expected[:, places][:, :, places])


def test_members_that_draw_much_are_fewer(tmp_path, monkeypatch):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.5}, members=4), events=9)
    member, size = (
        archive.member("a/0000"),
        sum(layer["size"] for layer in archive.study["network"]["layers"]),
    )
    assert magnitude._drawn(member) == size  # events that drew nothing anew
    monkeypatch.setattr(member, "layers", [replace(layer, origin="event") for layer in member.layers])
    assert magnitude._drawn(member) == 10 * size
    monkeypatch.setattr(magnitude, "WEIGHTS", 30 * size)
    assert magnitude._sample(archive, archive.ids) == archive.ids[:3]


def test_shared_base_weights_are_drawn_once(tmp_path, monkeypatch):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.5, "b": 0.5}, members=4), draws=2)
    weights, asked = archive.weights, []
    monkeypatch.setattr(archive, "weights", lambda member: asked.append(member) or weights(member))
    magnitude.expected(archive, archive.ids, ["fc"])
    assert sorted(asked) == ["a/0000", "a/0001"]


def test_trained_base_weights_are_each_members_own(tmp_path):
    masks = builder.random_masks({"a": 0.5}, members=3)
    archive = builder.build(tmp_path, masks, trained=["a"])
    found = magnitude.expected(archive, archive.ids, ["conv10", "fc"])
    sizes, shared = distances.measure(archive).strata("fc")
    assert found.expectation("fc").diagonal() == pytest.approx(
        [
            sum((mask["fc"].ravel()[own == one].mean()) ** 2 for one in own)
            for mask, own in zip(
                masks["a"], [magnitude.bins(np.abs(_fc(index))) for index in range(3)], strict=True
            )
        ]
    )
    assert sizes[0] == 320 and shared.shape == (1, 3, 3)


def _fc(index):
    return base_of(index, shapes=builder.SHAPES)["fc"]


def test_members_of_unknown_base_weights_are_left_out(tmp_path):
    builder.build(tmp_path / "out", builder.random_masks({"a": 0.5}, members=3))
    places = [tmp_path / f"{seed}.npz" for seed in range(3)]
    for seed, place in enumerate(places):
        samples.savez(place, builder.random_mask(seed, 0.5))
    samples.take(tmp_path / "out", *places, population="foreign")
    archive = Archive(tmp_path / "out")
    layers = [layer["name"] for layer in archive.study["network"]["layers"]]
    found = magnitude.expected(archive, archive.compared, layers)
    assert found.ids == ["a/0000", "a/0001", "a/0002"] and len(archive.compared) == 6
    rows = rows_of(archive, layer="whole", metric="chance_corrected_magnitude")
    whys = {(row["a"], row["b"]): row["estimate"].get("why", "") for row in rows}
    assert whys.pop(("a", "a")) == ""
    assert set(whys) == {("a", "foreign"), ("foreign", "foreign")}
    assert set(whys.values()) == {"no pair of members whose base weights are known"}


def test_no_members_give_nothing(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.5}, members=1))
    found = magnitude.expected(archive, [], ["fc"])
    assert found.ids == [] and found.expected.shape == (1, 0, 0)
    assert [len(places) for places in found.places(["a/0000"])] == [0, 0]


def test_rows_say_what_the_nulls_rest_on(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.5}, members=2))
    measured = distances.measure(archive)
    finer = magnitude.expected(archive, archive.ids, measured.layers)
    first, second = nulls.rows([measured] * 3, finer)
    assert (first["null"], first["replicates"], first["members"]) == ("twins", 3, archive.ids)
    assert (second["null"], second["replicates"], second["members"]) == ("magnitude", None, archive.ids)
    assert "10 bins" in second["text"]
    (alone,) = nulls.rows([])
    assert (alone["replicates"], alone["members"]) == (0, [])
