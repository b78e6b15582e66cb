"""`masklab report`: what it writes, prints, compares with and opens; wrong input writes nothing."""

import shutil
import webbrowser
from pathlib import Path

import pytest

from masklab.report import compare, payload
from tests.conftest import Cli

from . import builder
from .conftest import Page


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analysed")
    builder.build(folder, populations=2, members=3)
    return folder


@pytest.fixture
def study(analysed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(analysed, tmp_path / "study")


def test_markdown_goes_beside_the_study_or_to_the_terminal(cli: Cli, study: Path) -> None:
    code, printed, _ = cli("report", study, "--format", "markdown")
    assert (code, printed) == (0, f"{study / 'report.md'}\n")
    written = (study / "report.md").read_text()
    assert written.startswith("# ")
    assert cli("report", study, "--format", "markdown", "-o", "-")[1] == written
    assert not (study / "report.html").exists()


def test_the_page_goes_to_the_terminal_too(cli: Cli, study: Path) -> None:
    code, printed, _ = cli("report", study, "-o", "-")
    assert code == 0
    cli("report", study)
    assert (study / "report.html").read_text() == printed


def test_a_page_is_compared_with_an_earlier_one_and_with_a_directory(
    cli: Cli, study: Path, plain: Page, tmp_path: Path
) -> None:
    said = []
    for former in (plain.path, plain.study):
        code, _, err = cli("report", study, "--compare", former, "-o", tmp_path / "page.html")
        assert code == 0, err
        page = (tmp_path / "page.html").read_text()
        said.append(page[page.index('<section id="changes"') :].partition('<section id="s1"')[0])
    assert said[0] == said[1]
    assert "biprop-d0.5" in said[0]


def test_a_page_carries_what_a_later_one_is_compared_with(plain: Page) -> None:
    carried = payload.unpack(plain.root.by_id("payload").text().encode(), "page")["results"]
    (former,) = compare.read(plain.path)
    assert former.model_dump(mode="json") == carried[0]
    assert len(carried[0]["members"]) == len(plain.results["members"])


def test_the_page_is_opened_in_the_browser(cli: Cli, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert cli("report", study, "--open")[0] == 0
    assert opened == [(study / "report.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    code, printed, err = cli("report", study, "--open")
    assert (code, printed) == (2, f"{study / 'report.html'}\n")
    assert "no browser could be started" in err
    code, printed, err = cli("report", study, "--open", "-o", "-")
    assert (code, printed) == (2, "")
    assert "has to be a file" in err


WRONG = [
    (["--format", "pdf"], "--format pdf: known: html, markdown"),
    (["--compare", "nowhere.html"], "nowhere.html"),
    (["--compare", "notes.txt"], "notes.txt"),
    (["--compare", "study/report.html"], "would replace what it is compared with"),
    (["-o", "study"], "study"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_input_is_one_line_and_keeps_the_page(
    cli: Cli, study: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    (study.parent / "notes.txt").write_text("no page")
    (study / "report.html").write_text("before")
    code, out, err = cli("report", "study", *arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert (study / "report.html").read_text() == "before"
