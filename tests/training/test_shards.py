"""Parts of a study for job arrays: disjoint, complete, in any order, and controls beside their sources."""

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab import stages, stopping
from masklab.archive import files
from masklab.errors import ConfigError
from masklab.training import shards
from tests.conftest import TinyStudy, member_bytes
from tests.training.conftest import Gradients


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1.0/2", "²/3"])
def test_what_is_no_shard_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--shard .*: expected i/n with i from 1 to n"):
        shards.parse(text)


@pytest.mark.parametrize("text", ["1/1", " 2 / 8 ", "8/8"])
def test_shards_read_as_they_are_written(text: str) -> None:
    assert str(shards.parse(text)) == text.replace(" ", "")


@given(
    sizes=st.lists(st.lists(st.integers(1, 4), max_size=5), min_size=1, max_size=4),
    sources=st.lists(st.integers(0, 3), max_size=4),
    of=st.integers(1, 6),
)
def test_parts_are_disjoint_complete_and_keep_controls_with_their_sources(
    sizes: list[list[int]], sources: list[int], of: int
) -> None:
    cohorts, populations, place = [], [], {}
    for number, groups in enumerate(sizes):
        source = sources[number] if number < len(sources) else number
        populations.append({"name": f"p{number}", "options": {"of": f"p{source}"} if source < number else {}})
        start = 0
        for size in groups:
            cohort = {"id": f"p{number}-{start:04d}", "population": f"p{number}"}
            cohorts.append({**cohort, "indices": list(range(start, start + size))})
            place |= {(f"p{number}", index): cohort["id"] for index in range(start, start + size)}
            start += size
    plan, record = {"cohorts": cohorts}, {"populations": populations}
    parts = [shards.own(plan, record, shards.Shard(number, of)) for number in range(1, of + 1)]
    assert sorted(own for part in parts for own in part) == sorted(cohort["id"] for cohort in cohorts)
    home = {own: number for number, part in enumerate(parts) for own in part}
    options = {own["name"]: own["options"].get("of") for own in populations}
    for cohort in cohorts:
        for index in cohort["indices"]:
            source = place.get((options[cohort["population"]], index))
            assert source is None or home[source] == home[cohort["id"]]


def test_parts_in_any_order_make_the_whole_study(tiny: TinyStudy, train: Any, tmp_path: Path) -> None:
    of = tiny(
        {"pruner": "biprop", "members": 8},
        {"pruner": "edge-popup", "members": 2},
        {"pruner": "shuffled", "of": "biprop-d0.5", "members": 8},
        training={"epochs": 1},
    )
    train(of, tmp_path / "whole")
    written = []
    for number in (3, 1, 2):
        outcome = train(of, tmp_path / "parts", shard=shards.Shard(number, 3))
        assert not outcome.failed
        assert not outcome.lost
        written.append(outcome.written)
    everything = [own for part in written for own in part]
    assert len(everything) == len(set(everything)) == 18
    assert all(written)
    assert member_bytes(tmp_path / "parts") == member_bytes(tmp_path / "whole")
    again = train(of, tmp_path / "parts", shard=shards.Shard(2, 3))
    assert again.written == []
    assert stages.show(tmp_path / "parts")["failures"] == []


def test_controls_wait_for_sources_that_could_not_be_trained(
    tiny: TinyStudy, train: Any, tmp_path: Path, gradients: Gradients
) -> None:
    of = tiny({"pruner": "biprop"}, {"pruner": "edge-popup"}, {"pruner": "shuffled", "of": "biprop-d0.5"})
    gradients.fail_at = 1
    outcome = train(of, tmp_path, engine="loop")
    lost = sorted(member for members in outcome.lost.values() for member in members)
    assert lost == ["biprop-d0.5/0000", "biprop-d0.5/0001", "shuffled-d0.5/0000", "shuffled-d0.5/0001"]
    assert outcome.failed == []
    gradients.fail_at = 0
    again = train(of, tmp_path, engine="loop")
    assert sorted(again.written) == lost
    assert (again.lost, again.failed) == ({}, [])


def test_whoever_waits_for_another_process_can_be_asked_to_stop(tmp_path: Path) -> None:
    path, told = tmp_path / "c.lock", threading.Timer(0.5, lambda: stopping.ask(15))
    try:
        with files.claimed(path, wait=False) as mine, stopping.patiently():
            assert mine
            told.start()
            with pytest.raises(stopping.Stopped), files.claimed(path, wait=True):
                pass
    finally:
        told.join()
        stopping.forget()
