"""Sources: the entries of `assets/references.bib`, how a sentence cites them, how a reader sees them.

A sentence cites by key, in brackets; what is cited on a page is what the page lists, and nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from markupsafe import Markup, escape

from masklab import pruners

ITSELF = "masklab"
"""Key of masklab's own entry, which is made for the versions at hand."""

_ENTRY = re.compile(r"^@(\w+)\{([^,\s]+),\n((?:  .*\n)*)\}", re.MULTILINE)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
_CITATION = re.compile(r"\[([a-z0-9-]+(?:, [a-z0-9-]+)*)\]")
_ARXIV = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")
_DOI = re.compile(r"\bdoi:(10\.\d{4,9}/[\w.()/:-]*\w)")

_VENUES = ("journal", "booktitle", "publisher", "institution", "howpublished")
_ACCENTS = {
    "'": "\N{COMBINING ACUTE ACCENT}",
    "`": "\N{COMBINING GRAVE ACCENT}",
    "^": "\N{COMBINING CIRCUMFLEX ACCENT}",
    '"': "\N{COMBINING DIAERESIS}",
    "~": "\N{COMBINING TILDE}",
}
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
}
_NAMED = 3  # authors that are named; of more only the first


@dataclass(frozen=True)
class Source:
    """Something that can be cited.

    Attributes:
        key: By which it is cited.
        bibtex: Its entry.
        text: The same for a reader.
    """

    key: str
    bibtex: str
    text: str

    @property
    def linked(self) -> Markup:
        """The text, its arXiv numbers and DOIs as links."""
        return link(self.text)


@cache
def known() -> Mapping[str, Source]:
    """Key → source, of all entries of `assets/references.bib`."""
    return {key: Source(key, whole, _text(fields)) for key, (whole, fields) in _entries().items()}


@cache
def _entries() -> Mapping[str, tuple[str, dict[str, str]]]:
    """Key → the entry, and its fields."""
    text = (resources.files("masklab.report") / "assets" / "references.bib").read_text(encoding="utf-8")
    return {found[2]: (found[0], dict(_FIELD.findall(found[3]))) for found in _ENTRY.finditer(text)}


def cite(*keys: str) -> str:
    """A citation, to be put before the full stop.

    Args:
        keys: Keys of entries.

    Raises:
        KeyError: There is no such entry.

    Examples:
        >>> cite("anderson2001permanova"), cite("he2015delving", "he2016residual")
        ('[anderson2001permanova]', '[he2015delving, he2016residual]')
    """
    return f"[{', '.join(known()[key].key for key in keys)}]"


def cited(text: str) -> Iterator[str]:
    """Everything in a text that may be the key of a citation, in order.

    Examples:
        >>> list(cited("Overlap [a2001b, c-d] in [0, 1] and [E]."))
        ['a2001b', 'c-d', '0', '1']
    """
    for found in _CITATION.finditer(text):
        yield from found[1].split(", ")


def of_part(part: pruners.Description) -> list[Source]:
    """Where a part of a pruner is from, as its file says.

    Entries whose arXiv number or DOI the file names; a source made of the file's own words where there is no
    such entry; nothing where the file names no source.
    """
    eprints, dois = _ARXIV.findall(part.source), _DOI.findall(part.source)
    found = [
        known()[key]
        for key, (_, fields) in _entries().items()
        if fields.get("eprint") in eprints or fields.get("doi") in dois
    ]
    if found or not part.source:
        return found
    key = f"{part.kind}-{part.name}"
    return [Source(key, entry("misc", key, {"title": escaped(part.source)}), part.source)]


def entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    r"""An entry in BibTeX.

    Args:
        kind: What kind of entry, `misc` for instance.
        key: Its key.
        fields: Name → value, escaped.

    Examples:
        >>> print(entry("misc", "a", {"title": escaped("50 % of A_1")}))
        @misc{a,
          title = {50 \% of A\_1},
        }
    """
    return "\n".join(
        [f"@{kind}{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"]
    )


def escaped(text: str) -> str:
    r"""Text as LaTeX prints it, on one line.

    Examples:
        >>> print(escaped("{a} & b~c"))
        \{a\} \& b\textasciitilde{}c
    """
    return "".join(_ESCAPES.get(character, character) for character in " ".join(text.split()))


def link(source: str) -> Markup:
    """Escaped text of a source in which arXiv numbers and DOIs are links.

    Examples:
        >>> print(link("<b> (arXiv 2303.15953)"))
        &lt;b&gt; (<a href="https://doi.org/10.48550/arXiv.2303.15953">arXiv 2303.15953</a>)
    """
    text = _ARXIV.sub(r'<a href="https://doi.org/10.48550/arXiv.\1">\g<0></a>', str(escape(source)))
    text = _DOI.sub(r'<a href="https://doi.org/\1">\g<0></a>', text)
    return Markup(text)  # noqa: S704  escaped above; the patterns admit no markup


def _text(fields: Mapping[str, str]) -> str:
    """Authors, title, venue, year, numbers."""
    venue = next((fields[name] for name in _VENUES if name in fields), "")
    parts = [_authors(fields["author"]), fields["title"], f"{venue} {fields.get('volume', '')}".strip()]
    said = ", ".join(_plain(part) for part in (*parts, fields["year"]) if part)
    numbers = [f"arXiv {fields['eprint']}"] if "eprint" in fields else []
    numbers += [f"doi:{fields['doi']}"] if "doi" in fields else []
    beside = f" ({', '.join(numbers)})" if numbers else ""
    return f"{said}{beside}."


def _authors(field: str) -> str:
    if field.startswith("{"):  # one name, whatever words it has
        return field
    names = [name.partition(",")[0] for name in field.split(" and ")]
    if len(names) > _NAMED:
        return f"{names[0]} et al."
    return " & ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _plain(field: str) -> str:
    r"""What LaTeX prints.

    Examples:
        >>> _plain(r"Gro{\ss}berger \& L{\'e}on, {UMAP}"), _plain("1--2 ``b''")
        ('Großberger & Léon, UMAP', '1–2 “b”')
    """
    text = field.replace(r"{\ss}", "ß").replace(r"\&", "&")
    text = re.sub(
        r"""\{\\(['`^"~])(\w)\}""",
        lambda found: unicodedata.normalize("NFC", found[2] + _ACCENTS[found[1]]),
        text,
    )
    text = text.replace("``", "“").replace("''", "”").replace("--", "–")
    return re.sub("[{}]", "", text)
