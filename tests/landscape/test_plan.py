"""Plans keep to their budget, runs go on where they stopped, and nothing depends on threads."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from masklab.analysis import tables
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError
from masklab.landscape import budget, journal, plan, questions, run, settings
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
    found = plan.make(Archive(out), plan.Options(device="cpu", **options))
    assert found is not None
    return found


def test_the_folders_are_what_documents_and_tables_name() -> None:
    assert sorted(questions.keys()) == sorted(tables.LANDSCAPE)
    assert settings.path_names() == list(walking.all_paths())
    for question in questions.all_questions().values():
        assert isinstance(question, questions.Question) and question.SHARE > 0
    for path in walking.all_paths().values():
        assert isinstance(path, walking.Path)


@pytest.mark.parametrize("evaluations", [1, 20_000, 60_000, 10**9])
def test_a_budget_is_kept_unless_it_is_less_than_the_least(stored: Path, evaluations: int) -> None:
    found = made(stored, budget=budget.Budget(evaluations=evaluations))
    least = made(stored, budget=budget.Budget(evaluations=1)).evaluations
    assert found.evaluations <= max(evaluations, least)
    assert found.budget == evaluations
    keys = [task.key for own in found.tasks.values() for task in own]
    assert len(keys) == len(set(keys))
    assert {task.key for group in found.pieces for task in group} == set(keys)
    named = {member for own in found.tasks.values() for task in own for member in task.members}
    assert {task.key for task in found.tasks["members"]} == {own_key(member) for member in named}
    if evaluations == 10**9:
        wanted = {name: most for name, most in found.wanted.items() if most}
        assert {name: found.cost(name) for name in found.tasks} == wanted


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


def test_what_is_interrupted_goes_on(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("kept") / "landscape"
    made_plan = made(stored, budget=budget.Budget(evaluations=40_000))
    made_plan.evaluator.at_once = 6
    expected = run.measure(made_plan)
    with pytest.raises(_StopError):
        run.measure(made_plan, folder, _Interrupted(20_000))
    kept = list(folder.iterdir())
    assert kept
    second = _Interrupted(10**9)
    found = run.measure(made_plan, folder, second)
    assert second.advanced[1] > 15_000  # it began where the other one stopped
    assert rows(found) == rows(expected)
    other = made(stored, budget=budget.Budget(evaluations=60_000))
    assert other.key != made_plan.key  # another plan takes nothing from it
    kept[0].write_bytes(kept[0].read_bytes()[:-40])
    again = _Interrupted(10**9)
    assert rows(run.measure(made_plan, folder, again)) == rows(expected)
    assert again.advanced[1] == 0  # what is damaged is evaluated again
    journal.clear(folder)
    assert not folder.exists()


def test_a_full_disk_is_one_line(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise ArchiveError(f"{path}: No space left on device")

    monkeypatch.setattr(journal, "_EVERY_S", 0.0)
    monkeypatch.setattr(files, "write_atomic", full)
    with pytest.raises(ArchiveError, match="No space left"):
        run.measure(made(stored), stored / "kept")


def test_a_killed_analysis_goes_on(stored: Path) -> None:
    """SIGKILL in the middle: what was written is used, and the results are those of a run in one go."""
    script = (
        "import sys; from pathlib import Path; from masklab import stages\n"
        "from masklab.landscape import budget, journal\n"
        "journal._EVERY_S = 0.0\n"
        "stages.analyze(Path(sys.argv[1]), jobs=1, budget=budget.Budget(evaluations=400_000), device='cpu')"
    )
    folder = stored / "analysis" / journal.FOLDER
    process = subprocess.Popen([sys.executable, "-c", script, str(stored)], env=os.environ)
    end = time.monotonic() + 120
    while not list(folder.glob("*.npz")) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    limit = budget.Budget(evaluations=400_000)
    expected = rows(run.measure(made(stored, budget=limit)))
    listener = _Interrupted(10**9)
    found = run.measure(made(stored, budget=limit), folder, listener)
    assert rows(found) == expected
    assert listener.advanced[1] > 0


def test_members_of_which_nothing_is_known_have_no_landscape(stored: Path) -> None:
    text = (stored / "study.json").read_text().replace('"interpolation_pairs": 6', '"interpolation_pairs": 0')
    (stored / "study.json").write_text(text)
    assert plan.make(Archive(stored), plan.Options(device="cpu")) is None


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
        plan.make(Archive(stored), plan.Options(device="cpu"))
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
