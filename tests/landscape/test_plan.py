"""Plans keep to their budget, runs go on where they stopped, and nothing depends on threads."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from masklab.analysis import tables
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError, MasklabError
from masklab.landscape import budget, journal, plan, planning, questions, run, settings
from masklab.landscape import paths as walking
from masklab.landscape.tasks import own_key
from masklab.progress import Silent
from tests.conftest import Cli, write_images
from tests.landscape import contexts


@pytest.fixture(scope="module")
def original(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    members = {"edge-popup": 4, "biprop": 4, "edge-popup+recycle": 3}
    populations = [{"pruner": name, "members": number} for name, number in members.items()]
    out = tmp_path_factory.mktemp("plans") / "study"
    return contexts.trained(images, out, populations, study={"snapshots": [0, 2]})


@pytest.fixture
def stored(original: Path, tmp_path: Path) -> Path:
    """A directory that a test may change."""
    return shutil.copytree(original, tmp_path / "study")


def made(out: Path, **options: Any) -> plan.Plan:
    found = planning.make(Archive(out), plan.Options(device="cpu", **options))
    assert found is not None
    return found


def test_the_folders_are_what_documents_and_tables_name() -> None:
    assert sorted(questions.keys()) == sorted(tables.LANDSCAPE)
    assert settings.path_names() == list(walking.all_paths())
    for question in questions.all_questions().values():
        assert isinstance(question, questions.Question) and question.SHARE > 0
    for path in walking.all_paths().values():
        assert isinstance(path, walking.Path)


@pytest.mark.parametrize("evaluations", [1, 5_000, 20_000, 60_000, 10**9])
def test_a_budget_is_kept_unless_it_is_less_than_the_least(stored: Path, evaluations: int) -> None:
    found = made(stored, budget=budget.Budget(evaluations=evaluations))
    least = made(stored, budget=budget.Budget(evaluations=1)).evaluations
    assert found.evaluations <= max(evaluations, least)
    assert found.budget == evaluations
    assert ("above the budget" in found.text()) == (found.evaluations > evaluations)
    keys = [task.key for task in found.all_tasks]
    assert len(keys) == len(set(keys))
    assert {task.key for group in found.pieces for task in group} == set(keys)
    named = {member for own in found.tasks.values() for task in own for member in task.members}
    assert {task.key for task in found.tasks["members"]} == {own_key(member) for member in named}
    if evaluations == 10**9:
        wanted = {name: most for name, most in found.wanted.items() if most}
        assert {name: found.cost(name) for name in found.tasks} == wanted and not found.left_out


def test_questions_of_little_weight_are_left_out_first(stored: Path) -> None:
    weight = {name: question.SHARE for name, question in questions.all_questions().items()}
    before: set[str] = set()
    for evaluations in (60_000, 20_000, 10_000, 1):
        found = made(stored, budget=budget.Budget(evaluations=evaluations))
        out = set(found.left_out)
        assert before <= out and "paths" not in out
        kept = set(found.tasks) - {"members"}
        assert max((weight[name] for name in out), default=0) <= min(weight[name] for name in kept)
        assert all(name in found.text() for name in out)
        rows = {row["name"]: row["evaluations"] for row in found.work()["questions"]}
        assert {name for name, own in rows.items() if own == 0} == out
        before = out
    assert len(before) == len(weight) - 1


def test_work_says_what_is_done(stored: Path) -> None:
    found = made(stored, budget=budget.Budget(evaluations=40_000))
    work = found.work()
    assert work["evaluations"] == sum(row["evaluations"] for row in work["questions"]) == found.evaluations
    assert work["images"] == {"test": 32, "train": 16} and work["of_images"] == {"test": 32, "train": 48}
    assert f"{found.evaluations:,} evaluations" in found.text() and "about" in found.text()


def rows(found: Any) -> Any:
    return found.rows, found.tables, {name: values.tolist() for name, values in found.arrays.items()}


def test_results_do_not_depend_on_threads_nor_on_the_run(stored: Path) -> None:
    limit = budget.Budget(evaluations=40_000)
    once = run.measure(made(stored, budget=limit))
    assert rows(run.measure(made(stored, budget=limit, threads=3))) == rows(once)
    work = once.rows["landscape_work"][0]
    assert work["stored_predictions"]["differing"] == 0 and work["stored_predictions"]["members"] > 3


class _StopError(Exception):
    pass


class _Interrupted(Silent):
    """Stops after so many evaluations."""

    def __init__(self, most: int) -> None:
        self.most, self.advanced = most, [0]

    def advance(self, done: int) -> None:
        self.advanced.append(done)
        if done > self.most:
            raise _StopError


def test_what_is_interrupted_goes_on(stored: Path, tmp_path: Path) -> None:
    folder, limit = tmp_path / "landscape", budget.Budget(evaluations=40_000)
    plans = [made(stored, budget=limit) for _ in range(2)]
    for own in plans:
        own.evaluator.at_once = 6
    expected = run.measure(plans[0])
    with pytest.raises(_StopError):
        run.measure(plans[0], folder, _Interrupted(20_000))
    kept = [path for path in folder.iterdir() if path.suffix == ".npz"]
    assert len(kept) == 1
    second = _Interrupted(10**9)
    found = run.measure(plans[1], folder, second)
    assert second.advanced[1] > 15_000  # it began where the other one stopped
    assert rows(found) == rows(expected)
    kept[0].write_bytes(kept[0].read_bytes()[:-40])
    again = _Interrupted(10**9)
    assert rows(run.measure(plans[1], folder, again)) == rows(expected)
    assert again.advanced[1] == 0  # what is damaged is evaluated again
    journal.clear(folder, plans[1].key)
    assert not folder.exists()


def test_another_plan_takes_nothing(stored: Path, tmp_path: Path) -> None:
    """Another budget, or as many networks in a call as another machine has memory for, is another plan."""
    first = made(stored, budget=budget.Budget(evaluations=40_000))
    with pytest.raises(_StopError):
        run.measure(first, tmp_path / "kept", _Interrupted(20_000))
    others = [made(stored, budget=budget.Budget(evaluations=number)) for number in (60_000, 40_000)]
    others[1].evaluator.at_once = 7
    for other in others:
        assert other.key != first.key
        listener = _Interrupted(10**9)
        run.measure(other, tmp_path / "kept", listener)
        assert listener.advanced[1] == 0
        journal.clear(tmp_path / "kept", other.key)
    assert list((tmp_path / "kept").iterdir())  # that of the first, which may be at work
    old = next(iter((tmp_path / "kept").iterdir()))
    os.utime(old, (0, 0))
    journal.clear(tmp_path / "kept", "none")
    assert not (tmp_path / "kept").exists()


def test_seconds_are_converted_once_for_one_request(stored: Path, tmp_path: Path) -> None:
    def planned(seconds: float, folder: Path | None) -> plan.Plan:
        options = plan.Options(budget.Budget(seconds=seconds), device="cpu")
        found = planning.make(Archive(stored), options, folder)
        assert found is not None
        return found

    folder = tmp_path / "kept"
    first = planned(0.05, folder)
    (noted,) = folder.iterdir()
    document = files.read_json(noted)
    assert document["evaluations"] == first.budget
    files.write_json(noted, {**document, "evaluations": 31_234})
    assert planned(0.05, folder).budget == 31_234  # what is noted counts, not the speed of the moment
    assert planned(0.06, folder).budget != 31_234
    noted.write_text("{")
    assert planned(0.05, folder).budget != 31_234
    journal.clear(folder, first.key)
    assert not folder.exists()
    planned(0.05, None)
    assert not folder.exists()


def test_a_full_disk_is_one_line(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise ArchiveError(f"{path}: No space left on device")

    monkeypatch.setattr(journal, "_EVERY_S", 0.0)
    monkeypatch.setattr(files, "write_atomic", full)
    with pytest.raises(ArchiveError, match="No space left"):
        run.measure(made(stored), stored / "kept")


def test_a_killed_analysis_goes_on(stored: Path) -> None:
    """SIGKILL right after outcomes were written: they are used, and the results are those of one go."""
    script = (
        "import os, signal, sys; from pathlib import Path; from masklab import stages\n"
        "from masklab.landscape import budget, journal\n"
        "journal._EVERY_S, flush = 0.0, journal.Journal.flush\n"
        "def killed(self):\n    flush(self)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "journal.Journal.flush = killed\n"
        "stages.analyze(Path(sys.argv[1]), jobs=1, budget=budget.Budget(seconds=0.3), device='cpu')"
    )
    folder = stored / "analysis" / journal.FOLDER
    done = subprocess.run([sys.executable, "-c", script, str(stored)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL and list(folder.glob("*.npz"))
    options = plan.Options(budget.Budget(seconds=0.3), device="cpu")
    resumed = planning.make(Archive(stored), options, folder)
    assert resumed is not None
    expected = rows(run.measure(resumed))
    listener = _Interrupted(10**9)
    assert rows(run.measure(resumed, folder, listener)) == expected
    assert listener.advanced[1] > 0


def test_little_memory_makes_smaller_calls(stored: Path) -> None:
    whole = made(stored, budget=budget.Budget(evaluations=20_000))
    expected = run.evaluate(whole, None, Silent())
    evaluator, refused = whole.evaluator, []
    task = whole.tasks["paths"][0]

    def build(positions: Any) -> Any:
        if len(positions) > 2:
            refused.append(len(positions))
            raise torch.OutOfMemoryError("no room")
        return task.build(positions)

    found = evaluator.run([dataclasses.replace(task, build=build)])[0]
    assert refused and evaluator.at_once <= 2
    np.testing.assert_array_equal(found.classes["test"], expected[task.key].classes["test"])

    def never(positions: Any) -> Any:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(MasklabError, match="does not hold one network"):
        evaluator.run([dataclasses.replace(task, build=never)])


def test_members_of_which_nothing_is_known_have_no_landscape(stored: Path) -> None:
    text = (stored / "study.json").read_text().replace('"interpolation_pairs": 6', '"interpolation_pairs": 0')
    (stored / "study.json").write_text(text)
    assert planning.make(Archive(stored), plan.Options(device="cpu")) is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"path_orders": 2', '"path_orders": 0', "analysis.path_orders: .* greater than or equal to 1"),
        ('"path_orders": 2', '"path_orders": "x"', "analysis.path_orders: .* valid integer"),
        ('"paths": null', '"paths": ["liner"]', "unknown path 'liner' .did you mean 'linear'"),
        ('"paths": null', '"paths": ["linear", "linear"]', "name each path once"),
        (
            '"batchnorm_statistics": "re-estimate"',
            '"batchnorm_statistics": "drop"',
            "'re-estimate' or 'keep'",
        ),
    ],
)
def test_edited_settings_are_one_line(stored: Path, before: str, after: str, message: str) -> None:
    text = (stored / "study.json").read_text()
    assert before in text
    (stored / "study.json").write_text(text.replace(before, after))
    with pytest.raises((ArchiveError, ConfigError), match=message) as raised:
        planning.make(Archive(stored), plan.Options(device="cpu"))
    assert "\n" not in str(raised.value)


def test_an_older_study_has_the_defaults(stored: Path) -> None:
    archive = Archive(stored)
    kept = ("interpolation_pairs", "interpolation_points")
    older = {**archive.study, "analysis": {key: archive.study["analysis"][key] for key in kept}}
    assert settings.of(older) == settings.Settings()


def test_the_command_line_says_what_it_takes_and_writes_nothing(stored: Path, cli: Cli) -> None:
    code, out, err = cli("analyze", stored, "--dry-run", "--budget", "50000", "--device", "cpu", "--jobs", 1)
    assert (code, err) == (0, "")
    assert "50,000, given as a number of evaluations; about" in out
    assert "neighbourhood" in out and "MB" in out and "32 test" in out
    assert not (stored / "analysis").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget", "soon"), "--budget soon: not a budget"),
        (("--paths", "linear,bent"), "unknown path 'bent'"),
        (("--paths", ","), "at least one"),
        (("--device", "tpu"), "unknown device 'tpu'"),
    ],
)
def test_wrong_options_are_one_line_before_any_work(
    stored: Path, cli: Cli, options: tuple[str, str], message: str
) -> None:
    for dry in ((), ("--dry-run",)):
        code, _, err = cli("analyze", stored, *options, *dry)
        assert code == 2 and message in err and err.count("\n") == 1
    assert not (stored / "analysis" / "results.json").exists()


def test_other_data_than_the_members_were_trained_on_is_a_warning(
    stored: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = write_images(tmp_path_factory.mktemp("other") / "tiny", train=60)
    path = Archive(stored).study["data"]["path"]
    text = (stored / "study.json").read_text()
    (stored / "study.json").write_text(text.replace(path, str(other)))
    code, _, err = cli("analyze", stored, "--jobs", 1)
    assert code == 0 and "no-landscape (data)" in err
    results = files.read_json(stored / "analysis" / "results.json")
    assert results["landscape"] == [] and results["landscape_work"] is None


def test_a_path_of_the_study_that_is_not_possible_is_a_warning(stored: Path, cli: Cli) -> None:
    """Refusing the whole analysis would help nobody; on the command line it is an error."""
    for file in (stored / "members" / "biprop-d0.5").iterdir():
        file.unlink()
    for file in (stored / "members" / "edge-popup-d0.5").iterdir():
        file.unlink()
    text = (stored / "study.json").read_text()
    (stored / "study.json").write_text(text.replace('"paths": null', '"paths": ["scores", "geodesic"]'))
    found = made(stored, budget=budget.Budget(evaluations=10_000))
    assert found.context.settings.paths == ["geodesic"]
    assert [row["code"] for row in found.warnings] == ["path-not-possible"]
    assert "path 'scores': needs one gate" in found.warnings[0]["text"]
    (stored / "study.json").write_text(text.replace('"paths": null', '"paths": ["scores"]'))
    alone = made(stored, budget=budget.Budget(evaluations=10_000))
    assert alone.warnings and "paths" not in alone.tasks
    code, _, err = cli("analyze", stored, "--paths", "scores")
    assert code == 2 and "path 'scores': needs one gate" in err and err.count("\n") == 1
