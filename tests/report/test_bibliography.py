import ast
import re
from pathlib import Path
from typing import Any

import pytest

import masklab
from masklab import pruners
from masklab.report import bibliography, load, methods, sources

from . import builder, variants
from .conftest import Page

REPORT = Path(masklab.__file__).parent / "report"
KEY = re.compile(r"[a-z]+\d{4}[a-z]*")
TYPES = {"article", "inproceedings", "misc", "techreport", "book", "software"}
VENUES = {"journal", "booktitle", "publisher", "institution", "howpublished"}
FIELDS = {*VENUES, "author", "title", "year", "volume", "number", "pages", "doi", "eprint", "archiveprefix"}

Entries = dict[str, tuple[str, dict[str, str]]]


class Reader:
    """BibTeX, read character by character; anything out of the ordinary is an error."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def entries(self) -> Entries:
        found: Entries = {}
        while self._blank():
            kind = self._match(r"@([a-z]+)\{")
            key = self._match(r"([a-z0-9-]+),")
            assert key not in found, f"{key} stands twice"
            found[key] = kind, self._fields()
        return found

    def _fields(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while self._blank() and self.text[self.at] != "}":
            name = self._match(r"([a-z]+) = (?=\{)")
            assert name not in found, f"{name} stands twice"
            found[name] = self._braced()
            self._match(r"(,)")
        self._match(r"(\})")
        return found

    def _braced(self) -> str:
        depth, start = 0, self.at
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 2 if character == "\\" else 1
            depth += {"{": 1, "}": -1}.get(character, 0)
            if depth == 0:
                return self.text[start + 1 : self.at - 1]
        raise AssertionError(f"a brace is not closed: {self.text[start : start + 60]}")

    def _blank(self) -> bool:
        self.at += len(self.text[self.at :]) - len(self.text[self.at :].lstrip())
        return self.at < len(self.text)

    def _match(self, pattern: str) -> str:
        found = re.compile(pattern).match(self.text, self.at)
        assert found, f"expected {pattern}: {self.text[self.at : self.at + 60]}"
        self.at = found.end()
        return found[1]


def _unescaped(text: str) -> str:
    """What a LaTeX that knows no command sees as special."""
    return re.sub(r"\\text\w+\{\}|\\[{}$&#_%\"'`^~]|\\ss|[{}]", "", text)


@pytest.fixture(scope="module")
def stored() -> Entries:
    return Reader((REPORT / "assets" / "references.bib").read_text(encoding="ascii")).entries()


def test_reader_refuses_what_is_no_bibtex() -> None:
    for text in (
        "@misc{a,\n  title = {x},\n",
        "@misc{a,\n  title = {x {y},\n}",
        "@misc{a,\n  title = {x}\n  year = {1},\n}",
        "@misc{a,\n  title = {x},\n}\n@misc{a,\n  title = {x},\n}",
        "words",
    ):
        with pytest.raises(AssertionError):
            Reader(text).entries()


def test_every_entry_is_complete(stored: Entries) -> None:
    assert len(stored) > 60
    for key, (kind, fields) in stored.items():
        assert KEY.fullmatch(key), key
        assert kind in TYPES, key
        assert fields.keys() <= FIELDS, key
        assert {"author", "title", "year"} <= fields.keys(), key
        assert fields.keys() & {"eprint", "doi", *VENUES}, key
        assert ("eprint" in fields) == ("archiveprefix" in fields), key
        assert re.fullmatch(r"1[89]\d\d|20\d\d", fields["year"]), key
        assert fields["year"] in key
        assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "1234.5678")), key
        assert re.fullmatch(r"10\.\d{4,9}/\S+", fields.get("doi", "10.1234/x")), key
        assert re.fullmatch(r"\d+(--\d+)?", fields.get("pages", "1")), key
        assert not re.search(r"[$&#%~^]", _unescaped(fields["title"] + fields["author"])), key


def test_authors_are_in_the_form_that_bibtex_sorts_by(stored: Entries) -> None:
    for key, (_, fields) in stored.items():
        if fields["author"].startswith("{"):
            continue
        for name in fields["author"].split(" and "):
            assert re.fullmatch(r"[^,]+, [^,]+", name), (key, name)
        first = fields["author"].partition(",")[0]
        assert key.startswith(re.sub(r"[^a-z]", "", first.lower())), key


def _citable() -> set[str]:
    """Keys in the code of the page, and of the parts of pruners."""
    found = set()
    for path in REPORT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if KEY.fullmatch(node.value) else set()
    for name in pruners.names():
        for part in pruners.describe(name):
            found |= {source.key for source in sources.of_part(part)}
    return found


def test_every_key_that_can_be_cited_has_an_entry_and_no_entry_is_never_cited(stored: Entries) -> None:
    assert _citable() == stored.keys()
    assert sources.known().keys() == stored.keys()


def test_every_part_of_a_pruner_has_an_entry(stored: Entries) -> None:
    for name in pruners.names():
        for part in pruners.describe(name):
            assert [source.key for source in sources.of_part(part) if source.key in stored], part.name


def test_entries_are_read_as_they_stand(stored: Entries) -> None:
    for key, source in sources.known().items():
        assert Reader(source.bibtex).entries() == {key: stored[key]}
    said = {key: source.text for key, source in sources.known().items()}
    assert said["mcinnes2018software"].startswith("McInnes et al., UMAP: Uniform")
    assert said["oneill2000levene"] == (
        "O'Neill & Mathews, A Weighted Least Squares Approach to Levene's Test of Homogeneity of Variance, "
        "Australian & New Zealand Journal of Statistics 42, 2000 (doi:10.1111/1467-842X.00109)."
    )
    assert said["torchvision2016"].startswith("TorchVision maintainers and contributors, TorchVision: ")
    assert not [text for text in said.values() if re.search(r"[{}\\]|``|--", text)]


def test_unknown_keys_cannot_be_cited() -> None:
    with pytest.raises(KeyError):
        sources.cite("anderson2001permanova", "nobody1900nothing")


def _part(source: str) -> pruners.Description:
    return pruners.Description("fifth", "gate", "It keeps the best.", source, {})


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("Somebody, CVPR (arXiv 1911.13299).", ["ramanujan2020hidden"]),
        (
            "Somebody (arXiv:1911.13299) and another (arXiv 2303.15953)",
            ["ramanujan2020hidden", "gorbett2023recycling"],
        ),
        ("Somebody (doi:10.1109/CVPR.2016.90)", ["he2016residual"]),
        ("Somebody, Something, 2031 (arXiv 3101.00001)", ["gate-fifth"]),
        ("", []),
    ],
)
def test_a_part_is_matched_by_its_numbers(source: str, keys: list[str]) -> None:
    assert [found.key for found in sources.of_part(_part(source))] == keys


def test_a_part_without_an_entry_gets_one_in_its_own_words() -> None:
    words = 'N\\O {body} & Co., 50 %\n  of_$1 #~^ "<b>", 2031 (arXiv 3101.00001)'
    (found,) = sources.of_part(_part(words))
    ((key, (kind, fields)),) = Reader(found.bibtex).entries().items()
    assert (key, kind) == ("gate-fifth", "misc")
    assert not re.search(r"[\\${}&#%_~^]", _unescaped(fields["title"]))
    assert r"N\textbackslash{}O \{body\} \& Co., 50 \% of\_\$1 \#\textasciitilde{}" in fields["title"]
    assert "&lt;b&gt;" in found.linked
    assert "https://doi.org/10.48550/arXiv.3101.00001" in found.linked


def _read(folder: Path, results: dict[str, Any]) -> load.Analysis:
    builder.rewrite(folder, results)
    return load.read(folder)


@pytest.mark.parametrize("name", ["plain", "hostile", "single", "full", "linear"])
def test_what_is_cited_is_listed_and_nothing_else(name: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(name)
    analysis = load.read(page.study)
    said = "\n".join(paragraph.text for paragraph in methods.methods(analysis))
    cited = [key for group in re.findall(r"\[([a-z][a-z0-9, -]+)\]", said) for key in group.split(", ")]
    assert [entry.key for entry in bibliography.entries([analysis])] == list(dict.fromkeys(cited))
    found = Reader(bibliography.bibtex([analysis])).entries()
    assert list(found) == list(dict.fromkeys(cited))
    assert [own.name for own in bibliography.references([analysis])] == list(found)
    assert page.html.count("@software{masklab,") == 1


def test_only_the_pruners_of_the_page_are_cited(plain: Page, full: Page) -> None:
    keys = {entry.key for entry in bibliography.entries([load.read(plain.study)])}
    assert {"ramanujan2020hidden", "diffenderfer2021multiprize", "gorbett2023recycling"} <= keys
    assert keys.isdisjoint({"chijiwa2021randomization", "su2020sanity", "kingma2015adam", "jordan2023repair"})
    keys = {entry.key for entry in bibliography.entries([load.read(full.study)])}
    assert {"chijiwa2021randomization", "su2020sanity", "kingma2015adam", "jordan2023repair"} <= keys
    assert {"torchvision2016", "he2016residual", "krizhevsky2009tiny"} <= keys


def test_references_say_what_they_are_of(plain: Page) -> None:
    found = {own.name: own for own in bibliography.references([load.read(plain.study)])}
    assert found["gorbett2023recycling"].rule == "Refresh recycle."
    assert found["gorbett2023recycling"].kind == "Masks and pruners"
    assert found["anderson2001permanova"].kind == "Tests"
    assert found["anderson2001permanova"].rule == ""
    assert (
        'href="https://doi.org/10.1111/j.1442-9993.2001.01070.pp.x"' in found["anderson2001permanova"].source
    )


def test_masklab_is_cited_in_the_versions_that_were_used(tmp_path: Path) -> None:
    found = []
    for place, version in enumerate(("0.1.0", "0.2.0_{x}", None)):
        folder = tmp_path / str(place)
        results = builder.build(folder, populations=1, members=2, name=f"study-{place}")
        results["study"]["provenance"]["versions"]["masklab"] = version
        results["created"] = f"202{place}-03-04T05:06:07+00:00"
        found.append(_read(folder, results))
    kind, fields = Reader(bibliography.bibtex(found[:2])).entries()["masklab"]
    assert (kind, fields["version"], fields["year"]) == ("software", r"0.1.0, 0.2.0\_\{x\}", "2021")
    assert "version" not in Reader(bibliography.bibtex(found[2:])).entries()["masklab"][1]
    both = [entry.key for entry in bibliography.entries(found)]
    assert len(both) == len(set(both))


def test_a_study_of_nothing_but_an_unknown_pruner(tmp_path: Path) -> None:
    results = builder.build(tmp_path, populations=1, members=2)
    variants.clear(results)
    results["populations"][0]["pruner"] = "from-elsewhere"
    analysis = _read(tmp_path, {**results, "embeddings": []})
    (said,) = [own.text for own in methods.methods(analysis) if own.title == "Masks and pruners"]
    assert "Pruner from-elsewhere: not known to this installation of masklab." in said
    assert not [own for own in bibliography.references([analysis]) if own.rule]
