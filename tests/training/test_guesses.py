"""A guess of the threshold saves time and changes nothing, in whole trainings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from masklab.errors import MasklabError
from masklab.training import checkpoint, guess, selection, state
from tests.conftest import TinyStudy, member_bytes
from tests.training.conftest import Gradients

Train = Callable[..., Any]
POPULATIONS = (
    {"pruner": "edge-popup", "density": 0.3},
    {"pruner": "biprop+recycle"},
    {"pruner": "biprop", "density": 0.1, "rank": "signed"},
)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Switches guessing on in layers of any size; whether each guess succeeded."""
    found: list[bool] = []
    honest = guess.Guess.mask

    def noted(self: guess.Guess, member: int, key: np.ndarray, kept: int) -> np.ndarray | None:
        mask = honest(self, member, key, kept)
        found.append(mask is not None)
        return mask

    monkeypatch.setattr(guess, "LEAST", 1)
    monkeypatch.setattr(guess.Guess, "mask", noted)
    return found


@pytest.mark.parametrize("engine", ["vmap", "loop"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_guess_changes_no_byte(
    tiny: TinyStudy, train: Train, tmp_path: Path, used: list[bool], precision: str, engine: str
) -> None:
    of, how = tiny(*POPULATIONS), {"precision": precision, "engine": engine}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guess, "LEAST", 2**30)
        train(of, tmp_path / "without", **how)
    assert not used
    train(of, tmp_path / "with", **how)
    assert any(used)
    assert not all(used)
    assert member_bytes(tmp_path / "with") == member_bytes(tmp_path / "without")


@pytest.mark.parametrize("population", POPULATIONS[:2])
def test_a_resumed_training_has_no_guess_and_the_same_bytes(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    gradients: Gradients,
    used: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    population: dict[str, Any],
) -> None:
    monkeypatch.setattr(checkpoint, "_COST", 0)
    of = tiny(population)
    train(of, tmp_path / "whole")
    gradients.calls, gradients.fail_at = 0, 8
    with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
        train(of, tmp_path / "out", checkpoint_s=0.0)
    gradients.calls = gradients.fail_at = 0
    used.clear()
    train(of, tmp_path / "out", checkpoint_s=0.0)
    assert gradients.calls == 12 - 7
    assert not used[0]
    assert any(used)
    assert member_bytes(tmp_path / "out") == member_bytes(tmp_path / "whole")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.usefixtures("used")
def test_an_overflowing_rate_fails_members_without_a_warning(
    tiny: TinyStudy, train: Train, tmp_path: Path, precision: str
) -> None:
    """Warnings are errors here; the dense population has a rate of its own and goes on."""
    of = tiny(
        *POPULATIONS,
        {"pruner": "dense", "density": 1.0},
        training={"learning_rate": 3e38},
    )
    outcome = train(of, tmp_path, precision=precision)
    assert sorted(outcome.written) == ["dense-d1.0/0000", "dense-d1.0/0001"]
    assert len(outcome.failed) == 2 * len(POPULATIONS)
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("*.failed.json")]
    assert len(records) == len(outcome.failed)
    causes = {record["cause"] for record in records}
    assert causes <= {"the scores are not finite", "the loss is not finite"}


@pytest.mark.parametrize("value", [np.inf, np.nan, 3.39e38, -3.39e38])
@pytest.mark.usefixtures("used")
def test_scores_beyond_all_bounds_leave_the_other_member_alone(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    of = tiny({"pruner": "biprop", "name": "b"})
    train(of, tmp_path / "sound")
    honest = state.State.step

    def step(self: state.State, *arguments: Any) -> None:
        honest(self, *arguments)
        if arguments[3] == 4:
            for layer in self.layers:
                assert layer.scores is not None
                layer.scores[1, ::2] = value

    monkeypatch.setattr(state.State, "step", step)
    outcome = train(of, tmp_path / "out")
    (own,) = (path for path in member_bytes(tmp_path / "sound") if path.endswith("0000.safetensors"))
    assert member_bytes(tmp_path / "out")[own] == member_bytes(tmp_path / "sound")[own]
    assert outcome.failed == ([] if np.isfinite(value) else ["b/0001"])


@pytest.mark.parametrize("threshold", [np.inf, -np.inf, np.nan])
def test_nothing_is_learned_from_a_threshold_that_is_not_finite(threshold: float) -> None:
    found = guess.Guess.none(2)
    found.learn(0, 5.0)
    found.learn(1, 700.0)
    found.learn(0, threshold)
    assert np.isnan(found.value[0])
    assert found.mask(0, np.arange(1000, dtype=np.float32), 300) is None
    other = found.mask(1, np.arange(1000, dtype=np.float32), 300)
    assert other is not None
    assert other.sum() == 300


EXTREME = [0.0, 1.0, -1.0, 1e30, 3.39e38, -3.39e38, 3.4e38, np.inf, -np.inf]


@given(
    hnp.arrays(np.float32, (3, 64), elements=st.sampled_from([np.float32(v) for v in EXTREME])),
    st.integers(1, 63),
)
def test_extreme_keys_are_ranked_as_without_a_guess(keys: np.ndarray, kept: int) -> None:
    found = guess.Guess.none(1)
    for row in keys:
        given_key = torch.from_numpy(row[None].copy())
        assert torch.equal(selection.top_mask(given_key, kept, found), selection.top_mask(given_key, kept))


def test_widths_may_grow_beyond_all_bounds() -> None:
    """One key far above all others: the look around it widens with every success."""
    key = np.zeros(5000, np.float32)
    key[7] = 3e38
    found = guess.Guess.none(1)
    found.learn(0, 3e38)
    for _ in range(300):
        mask = found.mask(0, key, 1)
        if mask is None:
            found.learn(0, 3e38)
        else:
            assert np.flatnonzero(mask).tolist() == [7]
