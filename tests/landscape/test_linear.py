"""Paths start and end at the members themselves; barriers are Entezari's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import masklab
from masklab import data as datasets
from masklab.errors import DataError
from masklab.landscape import linear, pairs
from tests.conftest import TinyStudy, write_images

GRID = np.linspace(0, 1, 11)


@given(hnp.arrays(float, 11, elements=st.floats(0, 1)))
def test_barrier_is_the_largest_excess_over_the_chord(curve: np.ndarray) -> None:
    excess = [curve[i] - ((1 - t) * curve[0] + t * curve[-1]) for i, t in enumerate(GRID)]
    assert linear.barrier(curve, GRID) == pytest.approx(max(excess), abs=1e-12)
    assert linear.barrier(curve, GRID) >= -1e-12


def test_a_straight_or_hanging_curve_has_no_barrier() -> None:
    assert linear.barrier(0.2 + 0.3 * GRID, GRID) == pytest.approx(0)
    assert linear.barrier((GRID - 0.5) ** 2, GRID) == pytest.approx(0)
    assert linear.barrier(np.minimum(GRID, 1 - GRID), GRID) == pytest.approx(0.5)


@pytest.fixture
def stored(tiny: TinyStudy, train: Callable[..., Any], tmp_path: Path) -> Path:
    names = ("edge-popup", "biprop+recycle", "biprop+iterand", "random")
    train(tiny(*({"pruner": name, "members": 5} for name in names)), tmp_path)
    return tmp_path


def test_ends_repeat_the_stored_predictions(stored: Path) -> None:
    rows, points = linear.interpolate(stored)
    archive = masklab.open(stored)
    labels = datasets.load("imagefolder", archive.study["data"]["path"]).test_labels
    for point in points:
        if point["t"] in (0.0, 1.0):
            member = archive.member(point["member_a" if point["t"] == 0 else "member_b"])
            assert point["accuracy"] == (member.prediction() == labels).mean()
            probability = member.probability().astype(float)[np.arange(len(labels)), labels]
            assert point["loss"] == pytest.approx(-np.log(probability).mean(), rel=2e-3)
    cells = {(row["a"], row["b"], row["seed"]): row for row in rows}
    assert len(cells) == len(rows)
    for (a, b, seed), row in cells.items():
        own = [p for p in points if (p["a"], p["b"], p["seed"]) == (a, b, seed)]
        assert len(own) == 11 * row["pairs"]
        middle = [p["accuracy"] for p in own if p["t"] == 0.5]
        assert row["accuracy"]["mean"][5] == pytest.approx(np.mean(middle))
        assert row["accuracy"]["low"][5] == min(middle)
        assert row["accuracy"]["high"][5] == max(middle)
        assert row["images"] == 32


def test_barriers_of_the_rows_are_means_over_their_pairs(stored: Path) -> None:
    rows, points = linear.interpolate(stored)
    for row in rows:
        own = [p for p in points if (p["a"], p["b"], p["seed"]) == (row["a"], row["b"], row["seed"])]
        errors = 1 - np.array([p["accuracy"] for p in own]).reshape(row["pairs"], 11)
        losses = np.array([p["loss"] for p in own]).reshape(row["pairs"], 11)
        assert row["barrier"]["entezari_error"]["value"] == pytest.approx(linear.barrier(errors, GRID).mean())
        assert row["barrier"]["entezari_loss"]["value"] == pytest.approx(linear.barrier(losses, GRID).mean())


def test_other_data_than_the_members_were_trained_on_is_refused(stored: Path, tmp_path_factory: Any) -> None:
    other = write_images(tmp_path_factory.mktemp("other") / "tiny", train=60)
    text = (stored / "study.json").read_text()
    path = masklab.open(stored).study["data"]["path"]
    (stored / "study.json").write_text(text.replace(path, str(other)))
    with pytest.raises(DataError, match="is not the one that"):
        linear.interpolate(stored)


def blocks(populations: int, members: int, draws: int) -> dict[str, int]:
    return {f"p{p}/{i:04d}": i % draws for p in range(populations) for i in range(members)}


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.integers(0, 9), st.integers(0, 5))
def test_pairs_share_base_weights_wherever_any_do(
    populations: int, members: int, draws: int, per_cell: int, seed: int
) -> None:
    names = [f"p{p}" for p in range(populations)]
    levels = blocks(populations, members, draws)
    cells = pairs.sample(names, levels, per_cell, seed)
    assert cells == pairs.sample(names, levels, per_cell, seed)
    for cell in cells:
        assert 1 <= len(cell.pairs) == len(set(cell.pairs)) == min(per_cell, cell.of)
        for first, second in cell.pairs:
            assert (first.startswith(cell.a + "/"), second.startswith(cell.b + "/")) == (True, True)
            assert first != second
            assert (first[-4:] == second[-4:]) == (cell.seed == "same")
            assert (levels[first] == levels[second]) == (cell.block == "within")
        if cell.block == "across":
            assert all(
                levels[x] != levels[y]
                for x in levels
                for y in levels
                if x < y and x[:2] == cell.a and y[:2] == cell.b
            )
