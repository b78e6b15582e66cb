import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from masklab import analysis
from masklab.analysis import estimates, movement
from masklab.archive import Archive
from masklab.errors import ArchiveError

from . import builder, intervals

EPOCHS = 10


def trajectory(seed, epochs, density=0.4):
    """Masks at the given epochs, and the final one."""
    return {
        epoch: builder.random_mask(seed * 100 + epoch, density + 0.02 * epoch) for epoch in (*epochs, EPOCHS)
    }


def build(folder, trajectories, **options):
    """A study from population → one trajectory per member."""
    masks = {name: [one[EPOCHS] for one in members] for name, members in trajectories.items()}
    snapshots = {
        f"{name}/{index:04d}": {epoch: mask for epoch, mask in one.items() if epoch != EPOCHS}
        for name, members in trajectories.items()
        for index, one in enumerate(members)
    }
    return builder.build(folder, masks, snapshots=snapshots, epochs=EPOCHS, **options)


def hamming(first, second, layer):
    names = list(first) if layer == "whole" else [layer]
    flat = [np.concatenate([mask[name].reshape(-1) for name in names]) for mask in (first, second)]
    return (flat[0] != flat[1]).mean()


def at_chance(first, second, layer):
    names = list(first) if layer == "whole" else [layer]
    differing = sum(
        first[name].sum() * (~second[name]).mean() + second[name].sum() * (~first[name]).mean()
        for name in names
    )
    return differing / sum(first[name].size for name in names)


def keyed(rows):
    found = {(row["population"], row["metric"], row["epoch"], row["to"], row["layer"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def measured(archive):
    return movement.measure(archive)["movement"]


@pytest.fixture(scope="module")
def members():
    return {
        name: [trajectory(seed + base, (0, 1, 4)) for seed in range(3)] for name, base in (("b", 1), ("a", 7))
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory, members):
    return build(tmp_path_factory.mktemp("moving"), members, draws=3)


def test_every_number_is_the_mean_of_its_members(archive, members):
    rows = keyed(measured(archive))
    steps = list(itertools.pairwise((0, 1, 4, EPOCHS)))
    layers = ("whole", *builder.SHAPES)
    expected = {}
    for name, layer in itertools.product(members, layers):
        for epoch, to in steps:
            values = [hamming(one[epoch], one[to], layer) / (to - epoch) for one in members[name]]
            expected[name, "flipped_per_epoch", epoch, to, layer] = values, None
        for epoch in (0, 1, 4):
            values = [hamming(one[epoch], one[EPOCHS], layer) for one in members[name]]
            level = np.mean([at_chance(one[epoch], one[EPOCHS], layer) for one in members[name]])
            expected[name, "to_final", epoch, EPOCHS, layer] = values, level
    assert set(rows) == set(expected)
    for key, (values, level) in expected.items():
        row, law = rows[key], stats.t(2, loc=np.mean(values), scale=stats.sem(values))
        estimate = row["estimate"]
        skew = stats.skew(values, bias=False) / 3**0.5
        low, high, _ = intervals.halls(np.mean(values), stats.sem(values), 2, skew)
        plain = law.interval(estimates.LEVEL)
        ends = [max(0.0, min(low, plain[0])), min(1.0, max(high, plain[1]))]
        assert estimate["value"] == pytest.approx(np.mean(values), abs=1e-14)
        assert [estimate["low"], estimate["high"]] == pytest.approx(ends, abs=1e-9)
        assert row["chance"] == (None if level is None else pytest.approx(level, abs=1e-12))
        assert row["members"] == estimate["n"] == 3
        assert "its own draw of base weights" in estimate["method"]


def test_rows_stand_in_the_studys_order(archive):
    rows = measured(archive)
    layers = ["whole", *builder.SHAPES]
    places = [
        (
            ["b", "a"].index(row["population"]),
            movement.METRICS.index(row["metric"]),
            row["epoch"],
            row["to"],
            layers.index(row["layer"]),
        )
        for row in rows
    ]
    assert places == sorted(places)
    assert set(rows[0]) == {"population", "epoch", "to", "layer", "metric", "estimate", "chance", "members"}


def test_independent_masks_are_at_chance(tmp_path):
    trajectories = {"a": [trajectory(seed, (1,)) for seed in range(20)]}
    for row in measured(build(tmp_path, trajectories)):
        if row["metric"] == "to_final" and row["layer"] == "whole":
            assert row["estimate"]["low"] < row["chance"] < row["estimate"]["high"]
            assert "share 1 draw of base weights" in row["estimate"]["method"]


def test_a_mask_that_stays_does_not_move(tmp_path):
    mask = builder.random_mask(0, 0.5)
    rows = measured(build(tmp_path, {"a": [{2: mask, 5: mask, EPOCHS: mask}] * 2}))
    assert {row["estimate"]["value"] for row in rows} == {0.0}
    assert all(row["chance"] > 0.4 for row in rows if row["metric"] == "to_final")


def test_members_without_some_snapshots_do_not_count_there(tmp_path):
    trajectories = {
        "a": [trajectory(0, (1, 4)), trajectory(1, (1,)), trajectory(2, ()), trajectory(3, (1, 4))]
    }
    rows = keyed(measured(build(tmp_path, trajectories)))
    counted = {key[1:4]: row["members"] for key, row in rows.items()}
    assert counted == {
        ("flipped_per_epoch", 1, 4): 2,
        ("flipped_per_epoch", 1, EPOCHS): 1,
        ("flipped_per_epoch", 4, EPOCHS): 2,
        ("to_final", 1, EPOCHS): 3,
        ("to_final", 4, EPOCHS): 2,
    }
    alone = rows["a", "flipped_per_epoch", 1, EPOCHS, "whole"]["estimate"]
    expected = hamming(trajectories["a"][1][1], trajectories["a"][1][EPOCHS], "whole") / (EPOCHS - 1)
    assert alone["value"] == pytest.approx(expected)
    assert alone["low"] is None and alone["high"] is None
    assert alone["why"] == "an interval needs at least 2 members; there is 1"


def test_a_snapshot_at_the_end_is_the_final_mask(tmp_path):
    ordinary = [trajectory(0, (1, 4))]
    masks = {"a": [ordinary[0][EPOCHS]]}
    without = measured(build(tmp_path / "without", {"a": ordinary}))
    doubled = builder.build(tmp_path / "with", masks, snapshots={"a/0000": ordinary[0]}, epochs=EPOCHS)
    assert measured(doubled) == without
    alone = {"a/0000": {EPOCHS: ordinary[0][EPOCHS]}}
    assert measured(builder.build(tmp_path / "end", masks, snapshots=alone, epochs=EPOCHS)) == []


def test_a_snapshot_after_the_end_is_refused(tmp_path):
    mask = builder.random_mask(0, 0.5)
    archive = builder.build(tmp_path, {"a": [mask]}, snapshots={"a/0000": {1: mask, 11: mask}}, epochs=EPOCHS)
    with pytest.raises(
        ArchiveError, match=r"0000\.safetensors has a snapshot at epoch 11; training ends at 10"
    ):
        measured(archive)


def test_populations_that_are_not_compared_do_not_move(tmp_path):
    archive = build(tmp_path, {"a": [trajectory(0, (1,))]}, rows={"a": {"compared": False}})
    assert measured(archive) == []


def test_results_and_table_hold_the_rows(tmp_path, members):
    archive = build(tmp_path, members)
    found = analysis.analyze(archive)
    assert found["movement"] == measured(archive)
    table = pd.read_csv(tmp_path / "analysis" / "movement.csv")
    assert len(table) == len(found["movement"]) > 0
    for line, row in zip(table.to_dict("records"), found["movement"], strict=True):
        assert [line[key] for key in ("value", "low", "high")] == [
            row["estimate"][key] for key in ("value", "low", "high")
        ]
        assert line["chance"] == row["chance"] or (np.isnan(line["chance"]) and row["chance"] is None)
        for key in ("population", "metric", "epoch", "to", "layer", "members"):
            assert line[key] == row[key]


def test_a_table_of_an_earlier_analysis_does_not_stay(tmp_path, members):
    analysis.analyze(build(tmp_path, members))
    assert (tmp_path / "analysis" / "movement.csv").exists()
    masks = {name: [one[EPOCHS] for one in several] for name, several in members.items()}
    found = analysis.analyze(builder.build(tmp_path, masks, epochs=EPOCHS))
    assert found["movement"] == []
    assert not (tmp_path / "analysis" / "movement.csv").exists()


def flipped(mask, number, layer="conv2"):
    """The mask with some bits of one layer turned over, half of them kept ones."""
    changed = {name: own.copy() for name, own in mask.items()}
    flat = changed[layer].reshape(-1)
    for value in (True, False):
        flat[np.flatnonzero(mask[layer].reshape(-1) == value)[: number // 2]] = not value
    return changed


def settled_by_hand(one, layer):
    """First snapshot after the last one that is further than 1 % from the final mask."""
    epochs = sorted(one)
    far = [
        at for at, epoch in enumerate(epochs) if hamming(one[epoch], one[EPOCHS], layer) > movement.TOLERANCE
    ]
    return epochs[far[-1] + 1] if far else epochs[0]


@pytest.mark.parametrize(
    ("bits_left", "settled"),
    [
        ((100, 50, 20, 0), 7),
        ((100, 2, 2, 2), 2),
        ((2, 100, 0, 0), 5),
        ((0, 0, 0, 0), 0),
        ((0, 0, 0, 9), EPOCHS),
    ],
)
def test_a_layer_settles_when_it_stays_near_its_final_mask(tmp_path, bits_left, settled):
    final = builder.random_mask(0, 0.5)  # conv2 has 288 weights: two of them are less than 1 %
    one = {epoch: flipped(final, left) for epoch, left in zip((0, 2, 5, 7), bits_left, strict=True)}
    one[EPOCHS] = final
    found = movement.measure(build(tmp_path, {"a": [one, one]}))["settling"]
    rows = {row["layer"]: row for row in found}
    assert list(rows) == ["whole", *builder.SHAPES]
    for layer, row in rows.items():
        expected = settled_by_hand(one, layer)
        assert expected == (settled if layer == "conv2" else expected if layer == "whole" else 0)
        assert row["estimate"]["value"] == expected and row["members"] == 2
        assert row["chance"] == EPOCHS and row["tolerance"] == 0.01
        assert (row["population"], row["metric"], row["first"], row["to"]) == (
            "a",
            "settled_epoch",
            0,
            EPOCHS,
        )


def test_settling_is_a_mean_over_members_with_its_interval(archive, members):
    found = movement.measure(archive)
    assert found["movement"] == measured(archive)
    assert len(found["settling"]) == len(members) * (1 + len(builder.SHAPES))
    assert {row["population"] for row in found["settling"]} == set(members)
    for row in found["settling"]:
        values = [settled_by_hand(one, row["layer"]) for one in members[row["population"]]]
        assert row["estimate"]["value"] == pytest.approx(np.mean(values))
        common = max(values.count(one) for one in values)
        assert row["estimate"]["n"] == 3
        assert (row["estimate"]["low"] is None) == (3 - common < movement.DIFFERING)


def test_a_layer_that_chance_settles_says_so(tmp_path):
    """Masks that keep almost everything are near each other whatever they keep."""
    masks = {epoch: builder.random_mask(epoch, 0.999) for epoch in (1, 4, EPOCHS)}
    found = movement.measure(build(tmp_path, {"a": [masks] * 2}))["settling"]
    assert {row["chance"] for row in found} == {1.0}


def test_members_with_other_snapshots_settle_apart(tmp_path):
    trajectories = {"a": [trajectory(0, (1, 4)), trajectory(1, (4,)), trajectory(2, ())]}
    found = movement.measure(build(tmp_path, trajectories))["settling"]
    assert [(row["first"], row["members"]) for row in found if row["layer"] == "whole"] == [(1, 1), (4, 1)]


def test_members_without_snapshots_are_not_opened(tmp_path):
    build(tmp_path, {"a": [trajectory(0, (1, 4)), trajectory(1, ())]})
    Archive(tmp_path).summaries  # noqa: B018  (writes the catalogue)
    archive = Archive(tmp_path)
    movement.measure(archive)
    assert set(archive._opened) == {"a/0000"}
