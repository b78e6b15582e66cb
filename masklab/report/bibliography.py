"""What the methods of a page cite: references for its readers, BibTeX for their papers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from masklab import pruners
from masklab.report import load, methods, numbers, sources
from masklab.report.methods import masks

_TITLE = "masklab: mask landscape analysis"
_AUTHORS = "masklab contributors"


@dataclass(frozen=True)
class Entry:
    """A source in BibTeX.

    Attributes:
        key: By which the methods cite it.
        bibtex: The entry.
    """

    key: str
    bibtex: str


@dataclass(frozen=True)
class Reference:
    """A source for a reader.

    Attributes:
        name: The key by which the methods cite it.
        kind: The paragraphs that do.
        rule: Parts of pruners that are from there; empty for other sources.
        source: The source, with links.
    """

    name: str
    kind: str
    rule: str
    source: Markup


def entries(analyses: Sequence[load.Analysis]) -> list[Entry]:
    """Exactly what the methods of these studies cite, in the order in which they do."""
    return [Entry(source.key, source.bibtex) for source in _used(analyses)]


def bibtex(analyses: Sequence[load.Analysis]) -> str:
    """All entries in one text."""
    return "\n\n".join(entry.bibtex for entry in entries(analyses)) + "\n"


def references(analyses: Sequence[load.Analysis]) -> list[Reference]:
    """The same for readers, and what each is a source of."""
    parts = _parts(analyses)
    found = []
    for source, titles in _used(analyses).items():
        own = [
            f"{part.kind} {part.name}"
            for part in parts.values()
            if source.key in {one.key for one in sources.of_part(part)}
        ]
        rule = f"{', '.join(own).capitalize()}." if own else ""
        found.append(Reference(source.key, ", ".join(titles), rule, source.linked))
    return found


def _used(analyses: Sequence[load.Analysis]) -> dict[sources.Source, list[str]]:
    """Sources that are cited, and the titles of the paragraphs that cite them."""
    possible = _possible(analyses)
    found: dict[sources.Source, list[str]] = {}
    for analysis in analyses:
        for paragraph in methods.methods(analysis):
            for key in sources.cited(paragraph.text):
                if key in possible and paragraph.title not in found.setdefault(possible[key], []):
                    found[possible[key]].append(paragraph.title)
    return found


def _possible(analyses: Sequence[load.Analysis]) -> Mapping[str, sources.Source]:
    """Everything that could be cited, by its key."""
    made = (source for part in _parts(analyses).values() for source in sources.of_part(part))
    own = {source.key: source for source in made}
    return {**own, **sources.known(), sources.ITSELF: _itself(analyses)}


def _parts(analyses: Sequence[load.Analysis]) -> dict[tuple[str, str], pruners.Description]:
    """Parts of all pruners, by kind and name."""
    used = (own.pruner for analysis in analyses for own in masks.made(analysis))
    return {(part.kind, part.name): part for pruner in dict.fromkeys(used) for part in masks.parts(pruner)}


def _itself(analyses: Sequence[load.Analysis]) -> sources.Source:
    """Masklab, in the versions that trained and analysed these studies."""
    versions = ", ".join(dict.fromkeys(_versions(analyses)))
    year = max(analysis.results.created for analysis in analyses)[:4]
    fields = {"author": f"{{{_AUTHORS}}}", "title": f"{{{_TITLE}}}"}
    fields |= {"version": sources.escaped(versions)} if versions else {}
    entry = sources.entry("software", sources.ITSELF, {**fields, "year": sources.escaped(year)})
    said = f", version {versions}" if versions else ""
    return sources.Source(sources.ITSELF, entry, f"{_AUTHORS}, {_TITLE}{said}, {year}.")


def _versions(analyses: Sequence[load.Analysis]) -> Iterator[str]:
    for analysis in analyses:
        if own := analysis.study.provenance.versions.get("masklab"):
            yield numbers.plain(own)
