"""The README is true: its commands run, its study file is valid, its table names every field and default."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from masklab import study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = [
    (language, text.strip())
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
]
COMMANDS = list(
    dict.fromkeys(
        line
        for language, text in BLOCKS
        for line in text.splitlines()
        if language == "sh" and line.startswith("masklab ")
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "reports").symlink_to(ROOT / "reports")
    return folder


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_command_runs_in_the_order_of_the_readme(folder: Path) -> None:
    assert len(COMMANDS) >= 7
    for command in COMMANDS:
        result = run(shlex.split(command), folder)
        assert result.returncode == 0, f"{command}\n{result.stderr}"
    assert (folder / "runs/digits/report.html").stat().st_size < 3_000_000
    assert (folder / "runs/both.html").exists()
    (block,) = (text for language, text in BLOCKS if language == "python")
    result = run([sys.executable, "-c", block], folder)
    assert result.returncode == 0, result.stderr
    assert "biprop+recycle-d0.5" in result.stdout
    again = run(shlex.split(COMMANDS[0]), folder)
    assert "0 members trained, 84 already there" in again.stdout
    assert "up to date" in again.stderr


def test_the_study_file_is_valid(tmp_path: Path) -> None:
    (text,) = (text for language, text in BLOCKS if language == "toml")
    path = tmp_path / "study.toml"
    path.write_text(text)
    assert [p.name for p in study.read(path).population] == ["edge-popup-d0.5", "biprop+iterand-d0.5"]


def test_the_table_names_every_field_with_its_default() -> None:
    rows = [line.split(" | ") for line in README.splitlines() if line.startswith("| `")]
    documented = {}
    for row in rows:
        names = re.findall(r"`(\w+\.\w+)`", row[0])
        defaults = re.findall(r"`([^`]+)`", row[1]) if len(row) > 1 else []
        for position, name in enumerate(names):
            documented[name] = defaults[position % len(defaults)] if defaults else None
    for table, field in study.Study.model_fields.items():
        if table == "population":
            continue
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, study.Section)
        for name, info in section.model_fields.items():
            assert f"{table}.{name}" in documented, f"{table}.{name} is not in the README"
            if (text := documented[f"{table}.{name}"]) is not None:
                assert tomllib.loads(f"x = {text}")["x"] == info.default, f"{table}.{name}"
