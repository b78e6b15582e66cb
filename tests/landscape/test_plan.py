"""Plans keep to their budget, and what cannot be asked for is one line."""

from pathlib import Path

import pytest

from masklab.analysis import tables
from masklab.archive import Archive, files
from masklab.errors import ArchiveError, ConfigError
from masklab.landscape import budget, plan, planning, questions, settings
from masklab.landscape import paths as walking
from masklab.landscape.tasks import own_key
from tests.conftest import Cli, write_images
from tests.landscape import contexts


def test_the_folders_are_what_documents_and_tables_name() -> None:
    assert sorted(questions.keys()) == sorted(tables.LANDSCAPE)
    assert settings.path_names() == list(walking.all_paths())
    for question in questions.all_questions().values():
        assert isinstance(question, questions.Question) and question.SHARE > 0
    for path in walking.all_paths().values():
        assert isinstance(path, walking.Path)


@pytest.mark.parametrize("evaluations", [1, 5_000, 20_000, 60_000, 10**9])
def test_a_budget_is_kept_unless_it_is_less_than_the_least(stored: Path, evaluations: int) -> None:
    found = contexts.made(stored, budget=budget.Budget(evaluations=evaluations))
    least = contexts.made(stored, budget=budget.Budget(evaluations=1)).evaluations
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
        found = contexts.made(stored, budget=budget.Budget(evaluations=evaluations))
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
    found = contexts.made(stored, budget=budget.Budget(evaluations=40_000))
    work = found.work()
    assert work["evaluations"] == sum(row["evaluations"] for row in work["questions"]) == found.evaluations
    assert work["images"] == {"test": 32, "train": 16} and work["of_images"] == {"test": 32, "train": 48}
    assert f"{found.evaluations:,} evaluations" in found.text() and "about" in found.text()


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
    found = contexts.made(stored, budget=budget.Budget(evaluations=10_000))
    assert found.context.settings.paths == ["geodesic"]
    assert [row["code"] for row in found.warnings] == ["path-not-possible"]
    assert "path 'scores': needs one gate" in found.warnings[0]["text"]
    (stored / "study.json").write_text(text.replace('"paths": null', '"paths": ["scores"]'))
    alone = contexts.made(stored, budget=budget.Budget(evaluations=10_000))
    assert alone.warnings and "paths" not in alone.tasks
    code, _, err = cli("analyze", stored, "--paths", "scores")
    assert code == 2 and "path 'scores': needs one gate" in err and err.count("\n") == 1
