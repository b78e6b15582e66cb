"""What fits into the memory, what fails while a step is measured, and what a run leaves as it was."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masklab import parallel, stages
from masklab.errors import ConfigError, MasklabError
from masklab.progress import Silent
from masklab.training import memory, plan
from tests.conftest import Cli, TinyStudy
from tests.training.conftest import Gradients

Train = Callable[..., Any]


@given(
    sizes=st.lists(st.integers(1, 2**24), min_size=1, max_size=3),
    cohorts=st.lists(st.tuples(st.booleans(), st.integers(1, 64)), max_size=4),
    activations=st.integers(0, 2**30),
    how=st.tuples(
        st.sampled_from(["fp32", "bf16"]), st.sampled_from(["vmap", "loop"]), st.sampled_from(["sgd", "adam"])
    ),
    available=st.integers(1, 2**36),
    asked=st.integers(1, 100),
)
def test_workers_fit_into_the_memory(
    sizes: list[int],
    cohorts: list[tuple[bool, int]],
    activations: int,
    how: tuple[str, str, str],
    available: int,
    asked: int,
) -> None:
    precision, engine, optimizer = how
    record = {
        "network": {"layers": [{"size": size} for size in sizes]},
        "training": {"optimizer": optimizer},
        "populations": [{"name": "plain", "refresh": None}, {"name": "fresh", "refresh": "recycle"}],
    }
    planned = {
        "measured": {"activation_bytes": activations},
        "precision": precision,
        "engine": engine,
        "memory_bytes": available,
        "cohorts": [
            {"population": "fresh" if fresh else "plain", "indices": list(range(members))}
            for fresh, members in cohorts
        ],
    }
    slots = {"sgd": 1, "adam": 2}[optimizer]
    needs = [
        memory.need(sum(sizes), slots, fresh, activations, precision, engine == "vmap").of(members)
        for fresh, members in cohorts
    ]
    workers = plan.fitting_workers(record, planned, asked)
    assert 1 <= workers <= asked
    if needs and workers > 1:
        assert workers * max(needs) <= available
    if needs and workers < asked:
        assert (workers + 1) * max(needs) > available
    if not needs and available >= asked:
        assert workers == asked


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.mark.parametrize("fitting", [1, 2, 3])
def test_fewer_workers_are_used_and_said(
    tiny: TinyStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitting: int
) -> None:
    asked: list[int] = []
    used: list[int] = []

    def workers(record: dict[str, Any], planned: dict[str, Any], jobs: int) -> int:
        asked.append(jobs)
        assert planned["cohorts"]
        return fitting

    def opened(wanted: parallel.Workers) -> AbstractContextManager[parallel.Pool]:
        used.append(wanted.jobs)
        return really(replace(wanted, jobs=1))

    really = parallel.opened
    monkeypatch.setattr(plan, "fitting_workers", workers)
    monkeypatch.setattr(parallel, "opened", opened)
    notes = Notes()
    of = tiny({"pruner": "biprop"}, {"pruner": "edge-popup"}, training={"epochs": 1})
    stages.train(of, tmp_path, jobs=3, device="cpu", engine="vmap", listener=notes)
    assert asked == [3]
    assert used == [fitting]
    said = [text for text in notes.texts if "worker processes" in text]
    expected = f"{fitting} worker processes instead of 3: the memory holds no more cohorts"
    assert said == ([expected] if fitting < 3 else [])


def _study(folder: Path, images: Path, network: str) -> Path:
    path = folder / "s.toml"
    path.write_text(
        f"data = {{name = 'imagefolder:{images}', validation_fraction = 0.25}}\n"
        f"network = {{name = '{network}'}}\ntraining = {{epochs = 1, batch_size = 16}}\n"
        "[[population]]\npruner = 'biprop'\ndensity = 0.5\nmembers = 2\n"
    )
    return path


def _refused(cli: Cli, *arguments: object) -> str:
    """The one line with which a command ends; what it does goes before."""
    code, _, err = cli(*arguments)
    assert code == 2
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if "measuring how fast" not in line]
    assert len(lines) == 1, err
    return lines[0]


NETS = "tests.training.nets"


@pytest.mark.parametrize("engine", ["auto", "vmap", "loop"])
@pytest.mark.parametrize("network", ["mlp", f"{NETS}:sober"])
def test_too_little_memory_for_a_step_is_one_line(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, network: str
) -> None:
    """Wherever it runs out: in a step that is timed, in the activations, or in the training itself."""

    def exhausted(*arguments: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory\nTried to allocate 2.00 GiB")

    monkeypatch.setattr("masklab.training.engines.gradients", exhausted)
    width = 0.05 if network == "mlp" else 1.0
    of = tiny({"pruner": "biprop"}, network={"name": network, "width": width})
    with pytest.raises(MasklabError, match="memory") as caught:
        train(of, tmp_path / "steps", engine=engine)
    assert "\n" not in str(caught.value)
    assert "cannot run network" not in str(caught.value)
    monkeypatch.setattr("masklab.training.measure.kept_bytes", exhausted)
    with pytest.raises(MasklabError, match=r"the memory of device 'cpu' does not hold one step$"):
        train(of, tmp_path / "activations", engine=engine)
    assert not (tmp_path / "activations/plan.json").exists()


@pytest.mark.parametrize("engine", ["auto", "vmap", "loop"])
@pytest.mark.parametrize("name", ["picky_runtime", "picky_value", "picky_training"])
def test_a_network_that_fails_on_a_real_batch_is_named(
    cli: Cli, tmp_path: Path, images: Path, name: str, engine: str
) -> None:
    """It survives the few images on which it was looked at."""
    path, out = _study(tmp_path, images, f"{NETS}:{name}"), tmp_path / "out"
    line = _refused(cli, "train", path, "--out", out, "--device", "cpu", "--engine", engine, "--jobs", 1)
    assert f"network '{NETS}:{name}'" in line
    assert "too many" in line
    assert not (out / "members").exists()


def test_a_bug_of_our_own_is_not_blamed_on_the_network(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: Any) -> Any:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("masklab.training.measure.kept_bytes", wrong)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        train(tiny({"pruner": "biprop"}), tmp_path / "own")
    outside = tiny({"pruner": "biprop"}, network={"name": f"{NETS}:sober", "width": 1.0})
    with pytest.raises(ConfigError, match=rf"network '{NETS}:sober' fails on a batch of 16 .*on purpose"):
        train(outside, tmp_path / "outside")


@pytest.mark.parametrize("network", ["sober", "normed"])
@pytest.mark.parametrize("engine", ["auto", "vmap", "loop"])
def test_threads_and_generator_are_left_as_they_were(
    tiny: TinyStudy, train: Train, tmp_path: Path, network: str, engine: str
) -> None:
    of = tiny(
        {"pruner": "biprop", "name": "b"},
        {"pruner": "random"},
        {"pruner": "shuffled", "of": "b"},
        {"pruner": "magnitude"},
        network={"name": f"{NETS}:{network}", "width": 1.0},
        training={"epochs": 1},
    )
    before = torch.get_num_threads()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    torch.set_num_threads(before + 1)  # not the number that a plan asks for
    try:
        assert len(train(of, tmp_path, engine=engine).written) == 8
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_are_given_back_after_a_failure(
    tiny: TinyStudy, train: Train, tmp_path: Path, gradients: Gradients
) -> None:
    gradients.fail_at, before = 3, torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with pytest.raises(MasklabError, match="RuntimeError: interrupted on purpose"):
            train(tiny({"pruner": "biprop"}), tmp_path)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
