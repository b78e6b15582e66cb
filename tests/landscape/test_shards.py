"""A landscape that is evaluated in parts: by several processes that plan alike."""

from pathlib import Path

import pytest

from masklab import data as datasets
from masklab.archive import Archive, directory, files
from masklab.errors import MasklabError
from masklab.landscape import budget, journal, parts, plan, planning, run
from masklab.progress import Silent
from tests.landscape import contexts

_LIMIT = budget.Budget(evaluations=40_000)


class _Told(Silent):
    def __init__(self) -> None:
        self.done: list[int] = []

    def advance(self, done: int) -> None:
        self.done.append(done)


def _data(out: Path) -> datasets.Data:
    study = Archive(out).study["data"]
    return datasets.load(study["name"], study["path"])


def test_tasks_of_workers_are_all_that_is_left_to_do(stored: Path) -> None:
    own = contexts.made(stored, budget=_LIMIT, threads=2)
    folder, data = stored / directory.ANALYSIS / journal.FOLDER, _data(stored)
    numbers = list(range(len(own.pieces)))
    assert parts.missing(own, folder) == numbers
    groups = parts.grouped(own, numbers, 2)
    assert [number for group in groups for number in group] == numbers
    assert 4 <= len(groups) <= 8 and max(parts.cost(own, group) for group in groups) < 20_000
    for group in groups[::-1]:
        parts.task(stored, data, parts.request(own), own.key, group)
    assert parts.missing(own, folder) == [] and len(list(folder.iterdir())) == len(groups)
    told = _Told()
    found = run.measure(own, folder, told)
    assert told.done[0] == own.evaluations
    assert found.rows["paths" if "paths" in found.rows else "landscape"]
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    parts.task(stored, data, parts.request(own), own.key, groups[0])  # nothing is left to do
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
    damaged = next(iter(kept))
    damaged.write_bytes(damaged.read_bytes()[:-40])
    (lost,) = [group for group in groups if set(group) == set(parts.missing(own, folder))]
    parts.task(stored, data, parts.request(own), own.key, lost)
    assert parts.missing(own, folder) == [] and set(folder.iterdir()) == set(kept)


def test_a_worker_that_plans_otherwise_says_so(stored: Path) -> None:
    own = contexts.made(stored, budget=_LIMIT)
    with pytest.raises(MasklabError, match="a worker plans another landscape of"):
        parts.task(stored, _data(stored), parts.request(own), "another key", [0])
    assert not (stored / directory.ANALYSIS / journal.FOLDER).exists()


def test_parts_share_one_conversion_of_a_time(stored: Path, tmp_path: Path) -> None:
    """However many cores a machine has, and however fast it is."""
    folder = tmp_path / "kept"

    def planned(threads: int, *, write: bool = True) -> plan.Plan:
        options = plan.Options(budget.Budget(seconds=0.05), device="cpu", threads=threads)
        found = planning.make(Archive(stored), options, folder, write=write)
        assert found is not None
        return found

    assert planned(1, write=False).budget > 0 and not folder.exists()
    first = planned(1)
    assert planned(8).key == planned(3, write=False).key == first.key
    assert planned(8).budget == first.budget
    assert files.read_json(folder / first.note)["evaluations"] == first.budget
