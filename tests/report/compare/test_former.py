import base64
import gzip
import json
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.archive import files
from masklab.errors import ArchiveError
from masklab.report import compare, load, payload
from masklab.report.compare import document, former

from ..together import studies
from .conftest import Base, kept, page

ALLOWED = "it has to be a page that `masklab report` wrote, or the directory of an analysed study"


def _write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _error(place: Path) -> str:
    with pytest.raises(ArchiveError) as raised:
        compare.read(place)
    message = str(raised.value)
    assert "\n" not in message
    assert str(place) in message
    return message


def test_a_page_gives_the_studies_that_it_shows(tmp_path: Path, results: studies.Row) -> None:
    second = studies.other(results, "second")
    carried = [compare.compact(studies.analysis(own)) for own in (results, second)]
    assert compare.read(_write(tmp_path / "page.html", page(carried))) == [kept(results), kept(second)]


def test_the_page_has_what_is_looked_for() -> None:
    template = (resources.files("masklab.report") / "assets" / "page.html.jinja").read_text(encoding="utf-8")
    script = '<script type="application/gzip" id="payload">{{ payload }}</script>'
    assert former._PAYLOAD.search(template.replace("{{ payload }}", "H4sI").encode()), script
    assert former._MARK.decode() in template
    assert template.rstrip().endswith("</html>")


def test_remote_places(folder: Path, results: studies.Row) -> None:
    root = files.location("memory://compare")
    for path in (folder / "analysis").iterdir():
        files.write_atomic(root / "study" / "analysis" / path.name, path.read_bytes())
    files.write_atomic(root / "page.html", page([compare.compact(studies.analysis(results))]).encode())
    assert compare.read(root / "study") == compare.read(root / "page.html") == compare.read(folder)
    with pytest.raises(ArchiveError, match="does not exist"):
        compare.read(root / "nothing.html")


def test_what_is_not_there(tmp_path: Path) -> None:
    place = tmp_path / "none.html"
    assert _error(place) == f"{place} does not exist; {ALLOWED}"


def test_a_directory_without_analysis(tmp_path: Path) -> None:
    assert f"run `masklab analyze {tmp_path}` first" in _error(tmp_path)


def test_a_damaged_analysis_is_told_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "analysis").mkdir()
    _write(tmp_path / "analysis" / "results.json", "[]")
    assert "is not a masklab analysis" in _error(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("PK\x03\x04", "is no page"),
        ("{}", "is no page"),
        ("<!DOCTYPE html><html><p>hello</p></html>", "is a page of something else"),
        ("\n<HTML><p>hello</p></html>", "is a page of something else"),
        ('<!doctype html><meta name="masklab-input" content="12">', "is cut off"),
        (
            '<!doctype html><meta name="masklab-input" content="12"></html>',
            "is a page of an older masklab, without results to compare with",
        ),
    ],
)
def test_other_files(tmp_path: Path, content: str, said: str) -> None:
    place = _write(tmp_path / "page.html", content)
    assert _error(place) == f"{place} {said}; {ALLOWED}"


@pytest.fixture(scope="module")
def whole(fresh: Base) -> bytes:
    return page([compare.compact(studies.analysis(fresh()))]).encode()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_truncation_is_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(whole.rstrip()) - 1))
    place = _write(tmp_path_factory.mktemp("cut") / "page.html", whole[:length])
    assert ALLOWED in _error(place)


def test_a_page_that_is_too_large(tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(former, "MOST_BYTES", 2**20)
    place = _write(tmp_path / "page.html", whole + b" " * 2**21)
    assert "2 MB, more than the 1 MB of the largest page that is read" in _error(place)


def _payload(content: bytes) -> str:
    text = base64.b64encode(content).decode()
    return f'<!doctype html><script type="application/gzip" id="payload">{text}</script></html>'


@pytest.mark.parametrize(
    ("carried", "said"),
    [
        (_payload(b"not gzip"), "is damaged: "),
        (_payload(gzip.compress(b"{")), "is damaged: Expecting property name"),
        (_payload(gzip.compress(b'"\xff"')), "is damaged: "),
        (_payload(gzip.compress(b"[" * 100_000)), "is damaged: "),
        (_payload(gzip.compress(b'{"results": []}' * 9)[:-9]), "is cut off, or larger than"),
        ('<!doctype html><script type="application/gzip" id="payload">!</script></html>', "is damaged: "),
        (_payload(gzip.compress(b"[]")), "carries no results to compare with; write the page again"),
        (_payload(gzip.compress(b"{}")), "carries no results to compare with"),
        (_payload(gzip.compress(b'{"results": []}')), "carries no results to compare with"),
        (_payload(gzip.compress(b'{"results": [3]}')), "have format None; this version of masklab compares"),
        (_payload(gzip.compress(b'{"results": [{"format": 9}]}')), "have format 9; this version"),
        (_payload(gzip.compress(b'{"results": [{"format": 1}]}')), "is damaged: study: Field required"),
    ],
)
def test_damaged_content(tmp_path: Path, carried: str, said: str) -> None:
    assert said in _error(_write(tmp_path / "page.html", carried))


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("members", [["a/0000"]], "members.0.1: Field required"),
        ("numbers", {"accuracy": [[["a"], "much", None, None, 1]]}, "numbers.accuracy.0.1: Input"),
        ("numbers", {"accuracy": [[["a"], float("nan"), None, None, 1]]}, "numbers.accuracy.0.1: Input"),
        ("level", float("inf"), "level"),
        ("settings", [], "settings"),
    ],
)
def test_fields_that_are_wrong_are_named(
    tmp_path: Path, results: studies.Row, field: str, value: object, where: str
) -> None:
    carried = {**compare.compact(studies.analysis(results)), field: value}
    content = json.dumps({"results": [carried]}).encode()
    assert f"what the page carries is damaged: {where}" in _error(
        _write(tmp_path / "page.html", _payload(gzip.compress(content)))
    )


def test_a_page_that_unpacks_to_too_much(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _write(tmp_path / "page.html", whole)
    assert len(compare.read(place)) == 1
    monkeypatch.setattr(payload, "_MOST_UNPACKED", 1000)
    assert "is cut off, or larger than 0 MB" in _error(place)


def test_a_later_format_is_refused(tmp_path: Path, results: studies.Row) -> None:
    carried = {**compare.compact(studies.analysis(results)), "format": document.FORMAT + 1}
    assert f"compares with format {document.FORMAT}" in _error(_write(tmp_path / "p.html", page([carried])))
    assert load.SCHEMA == 3
