"""The plan: what it measured, what it obeys, and how memory bounds a cohort."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab import parallel
from masklab.errors import ConfigError
from masklab.training import choice, measure, memory
from tests.conftest import TinyStudy, member_bytes

Train = Callable[..., Any]

NETWORKS = """
import torch
from torch import nn

class Looking(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first, self.last = nn.Linear(64, 8), nn.Linear(8, classes)

    def forward(self, x):
        hidden = self.first(x.flatten(1)).relu()
        return self.last(hidden * 2 if hidden.sum().item() > 0 else hidden)

def looking(classes):
    return Looking(classes)

def two(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, classes))
"""


def _plan(out: Path) -> dict[str, Any]:
    return json.loads((out / "plan.json").read_text())


@pytest.fixture
def own_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "planned_nets.py").write_text(NETWORKS)


def test_auto_records_what_it_measured(tiny: TinyStudy, train: Train, tmp_path: Path) -> None:
    train(tiny({"pruner": "random"}, {"pruner": "biprop", "members": 3}), tmp_path, engine="auto")
    plan = _plan(tmp_path)
    measured = plan["measured"]
    assert (measured["population"], measured["members"], measured["batch_size"]) == ("biprop-d0.5", 3, 16)
    assert set(measured["seconds"]) == {"vmap", "loop"}
    assert all(seconds is None or 0 < seconds < 60 for seconds in measured["seconds"].values())
    assert plan["engine"] == choice.engine("vmap", measured["seconds"])
    assert 0 < plan["memory_bytes"] < 2**50


@pytest.mark.parametrize("seconds", [{"vmap": 1.0, "loop": 0.5}, {"vmap": 1.0, "loop": 2.0}])
def test_auto_takes_what_was_clearly_faster(
    tiny: TinyStudy,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: dict[str, float],
) -> None:
    """The measured numbers decide, and a resumed study does not measure again."""
    order = iter([seconds["loop"] * 2, seconds["vmap"] * 2])  # loop is tried first; two members
    monkeypatch.setattr(measure, "_time", lambda step, best: next(order))
    of = tiny({"pruner": "biprop"})
    train(of, tmp_path, engine="auto")
    plan, first = _plan(tmp_path), member_bytes(tmp_path)
    assert plan["measured"]["seconds"] == seconds
    assert plan["engine"] == min(seconds, key=lambda name: seconds[name])
    (tmp_path / "members/biprop-d0.5/0000.safetensors").unlink()
    train(of, tmp_path, engine="auto")  # `order` has nothing left
    assert (_plan(tmp_path)["engine"], member_bytes(tmp_path)) == (plan["engine"], first)


@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_a_wish_is_obeyed_without_timing(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.delattr(measure, "_time")
    train(tiny({"pruner": "biprop"}), tmp_path, engine=engine, precision="bf16")
    plan = _plan(tmp_path)
    assert (plan["engine"], plan["precision"]) == (engine, "bf16")
    assert plan["measured"]["seconds"] == {}


def test_nothing_is_timed_where_nothing_is_trained(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(measure, "_time")
    train(tiny({"pruner": "random"}), tmp_path, engine="auto")
    assert _plan(tmp_path)["engine"] == "vmap"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "warp"}, "unknown engine 'warp'; known: auto, loop, vmap"),
        ({"precision": "fp8"}, "unknown precision 'fp8'.*; known: bf16, fp32"),
        ({"device": "tpu"}, "unknown device 'tpu'; known: auto, cpu, cuda"),
    ],
)
def test_unknown_wishes(
    tiny: TinyStudy, train: Train, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny({"pruner": "biprop"}), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("own_networks")
def test_a_network_that_vmap_cannot_run_is_trained_by_the_loop(
    tiny: TinyStudy, train: Train, tmp_path: Path
) -> None:
    of = tiny({"pruner": "biprop"}, network={"name": "planned_nets:looking", "width": 1.0})
    outcome = train(of, tmp_path / "out", engine="auto")
    plan = _plan(tmp_path / "out")
    assert (plan["engine"], plan["measured"]["seconds"]["vmap"]) == ("loop", None)
    assert plan["measured"]["seconds"]["loop"] > 0
    assert len(outcome.written) == 2


@pytest.mark.usefixtures("own_networks")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_activation_bytes_are_what_the_backward_pass_needs(
    tiny: TinyStudy, train: Train, tmp_path: Path, precision: str
) -> None:
    """Two linear layers keep their inputs, the ReLU its output (the same storage), the loss its softmax.

    In bytes, with 16 images of 64 pixels, 10 hidden values, 2 classes, labels of 8 bytes; and the loss's
    total weight, a scalar.
    """
    of = tiny({"pruner": "biprop"}, network={"name": "planned_nets:two", "width": 1.0})
    train(of, tmp_path / "out", precision=precision)
    wide = {"fp32": 4, "bf16": 2}[precision]
    inputs, hidden, softmax, labels, scalar = 16 * 64 * wide, 16 * 10 * wide, 16 * 2 * 4, 16 * 8, 4
    found = _plan(tmp_path / "out")["measured"]["activation_bytes"]
    assert found == inputs + hidden + softmax + labels + scalar


@pytest.mark.parametrize("engine", ["vmap", "loop"])
def test_cohorts_shrink_with_memory(
    tiny: TinyStudy, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    of = tiny({"pruner": "biprop", "members": 6}, training={"epochs": 1})
    train(of, tmp_path / "much", engine=engine)
    assert [c["indices"] for c in _plan(tmp_path / "much")["cohorts"]] == [[0, 1, 2, 3, 4, 5]]
    asked: list[memory.Need] = []
    honest = memory.Need.largest

    def noted(self: memory.Need, available: int) -> int:
        asked.append(self)
        return honest(self, available)

    monkeypatch.setattr(memory.Need, "largest", noted)
    train(of, tmp_path / "again", engine=engine)
    need = asked[0]
    assert need.together is (engine == "vmap")
    beside = parallel.cores()
    for members, sizes in ((3, [3, 3]), (2, [2, 2, 2]), (1, [1] * 6)):
        monkeypatch.setattr(memory, "available", lambda device, m=members: need.of(m) * beside)
        train(of, tmp_path / str(members), engine=engine)
        plan = _plan(tmp_path / str(members))
        assert [len(cohort["indices"]) for cohort in plan["cohorts"]] == sizes
        assert plan["memory_bytes"] == need.of(members) * beside
    monkeypatch.setattr(memory, "available", lambda device: need.of(1))  # one at a time, no two side by side
    train(of, tmp_path / "tight", engine=engine)
    assert len(_plan(tmp_path / "tight")["cohorts"]) == 6
    monkeypatch.setattr(memory, "available", lambda device: need.of(1) - 1)
    with pytest.raises(ConfigError, match=r"one member of population 'biprop-d0.5' takes about .* GiB") as e:
        train(of, tmp_path / "none", engine=engine)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "none/members").exists()


@given(
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.booleans(),
    st.integers(0, 2**44),
)
def test_the_largest_cohort_is_the_largest_that_fits(
    state: int, step: int, together: bool, available: int
) -> None:
    need = memory.Need(state, step, together)
    members = need.largest(available)
    assert members >= 0
    if members:
        assert need.of(members) <= available
    if state + (step if together else 0) > 0:  # otherwise there is no bound
        assert need.of(members + 1) > available


@given(
    st.integers(1, 2**30),
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 2**30),
    st.sampled_from(["fp32", "bf16"]),
    st.booleans(),
)
def test_what_a_cohort_needs_covers_its_tensors(
    weights: int, slots: int, refreshed: bool, activations: int, precision: str, together: bool
) -> None:
    """At least base weights, scores, memory and origins of each, and one step's weights and gradients."""
    need = memory.need(weights, slots, refreshed, activations, precision, together)
    wide = 2 if precision == "bf16" else 4
    assert need.state >= weights * 4 * (2 + slots + refreshed)
    assert need.step >= activations + weights * 2 * wide
    more = memory.need(weights, slots + 1, True, activations, precision, together)
    assert more.state > need.state


class Files:
    """Stands in for `Path`: a few files of the system, and nothing else."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def __call__(self, path: str) -> Any:
        texts = self.texts

        class File:
            def exists(self) -> bool:
                return path in texts

            def read_text(self) -> str:
                return texts[path]

        return File()


MEMINFO = "MemTotal:       8000 kB\nMemFree:  1 kB\nMemAvailable:   5000 kB\nHugePages_Total:       0\n"
KIB = 1024


def new_group(limit: str, used: int, cache: int = 0) -> dict[str, str]:
    folder = "/sys/fs/cgroup"
    stat = f"anon 3\nfile {used}\ninactive_file {cache}\n"
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": stat,
    }


def old_group(limit: str, used: int, cache: int = 0) -> dict[str, str]:
    folder = "/sys/fs/cgroup/memory"
    stat = f"cache 9\ninactive_file 1\ntotal_inactive_file {cache}\n"
    files = {"limit_in_bytes": limit, "usage_in_bytes": f"{used}\n", "stat": stat}
    return {f"{folder}/memory.{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("groups", "free"),
    [
        ({}, 5000 * KIB),
        (new_group("max\n", 77), 5000 * KIB),
        (new_group(f"{900 * KIB}\n", 300 * KIB), 600 * KIB),
        (new_group(f"{900 * KIB}\n", 800 * KIB, cache=700 * KIB), 800 * KIB),  # what was read gives way
        (new_group(f"{900 * KIB}\n", 901 * KIB), 0),
        (old_group(f"{9000 * KIB}\n", 8000 * KIB), 1000 * KIB),
        (old_group(f"{9000 * KIB}\n", 8000 * KIB, cache=500 * KIB), 1500 * KIB),
        (old_group("9223372036854771712\n", 5), 5000 * KIB),
    ],
)
def test_free_memory_is_that_of_the_machine_or_of_the_group(
    monkeypatch: pytest.MonkeyPatch, groups: dict[str, str], free: int
) -> None:
    monkeypatch.setattr(memory, "Path", Files({"/proc/meminfo": MEMINFO, **groups}))
    monkeypatch.setattr(memory.sys, "platform", "linux")
    assert memory._free() == free
    assert memory.available("cpu") == math.floor(free * 0.6)


def test_a_step_that_cannot_run_has_no_time() -> None:
    def broken() -> None:
        raise RuntimeError("vmap: it looks like you are calling .item()")

    assert measure._time(broken, math.inf) is None
    calls = []
    assert (measure._time(lambda: calls.append(1), math.inf) or 0) < 1
    assert len(calls) >= 4
