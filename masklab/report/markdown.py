"""The page as GitHub-flavoured Markdown, for pull requests: findings and the tables that carry them."""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from markupsafe import Markup

import masklab
from masklab.report import (
    bibliography,
    compare,
    findings,
    load,
    numbers,
    provenance,
    records,
    style,
    tables,
    text,
)
from masklab.report.compare import quantities
from masklab.report.compare import tables as compared

_MOST = 12  # rows of a table of differences or changes

_NOTHING = "\u200b"
_UNSEEN = {"Cc", "Cs"}
_REORDERING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "<span>$</span>"}
_SPECIAL = re.compile(r"[&<>|$\\`*_\[\]~#]")
_CALLS = (
    (re.compile(r"@(?=\w)"), f"@{_NOTHING}"),  # a mention, or an address
    (re.compile(r"#(?=\d)"), f"#{_NOTHING}"),  # an issue
    (re.compile(r"\b(GH-)(?=\d)", re.IGNORECASE), rf"\1{_NOTHING}"),
    (re.compile(r":(?=//)"), f":{_NOTHING}"),  # a link
    (re.compile(r"\b(www)(?=\.)", re.IGNORECASE), rf"\1{_NOTHING}"),
    (re.compile(r":(?=[\d_+-]*[a-z][\w+-]*:|[+-]1:)", re.IGNORECASE), f":{_NOTHING}"),  # an emoji
)
_OPENING = re.compile(r"^([-+=]|\d+(?=[.)](?:\s|$)))")
_LINK = re.compile(r'<a href="(https://[^"<>]*)">(.*?)</a>')


def render(analyses: Sequence[load.Analysis], before: Sequence[compare.Former] = ()) -> str:
    """Markdown of the page; equal analyses give equal text.

    Args:
        analyses: The studies.
        before: What they are compared with.

    Raises:
        ArchiveError: There is something to compare with, but for none of the studies.
    """
    theme = style.theme(analyses)
    several = len(analyses) > 1
    names = dict.fromkeys(analysis.study.name for analysis in analyses)
    parts = [f"# {escape(' · '.join(names))}"]
    if several:
        parts += ["## All studies", *_table(tables.summary(analyses, theme, "all"))]
    for number, analysis in enumerate(analyses, 1):
        parts += _study(analysis, theme, f"s{number}", several=several)
    if before:
        parts += _changes(before, analyses)
    parts += ["## References", _list(_references(analyses))]
    created = numbers.moment(max(analysis.results.created for analysis in analyses))
    parts.append(f"Written by masklab {escape(masklab.__version__)} from an analysis of {escape(created)}.")
    return "\n\n".join(parts) + "\n"


def escape(said: str) -> str:
    r"""A text in one line that means nothing to Markdown, to HTML or to GitHub.

    Args:
        said: Anything a user can choose.

    Examples:
        >>> print(escape("a|b *c* <b> [d](e)"), escape("1. x"), escape("two\nlines"))
        a&#124;b \*c\* &lt;b&gt; \[d\](e) 1\. x two lines
        >>> ascii(escape("@you in #12"))
        "'@\\u200byou in \\\\#\\u200b12'"
    """
    plain = " ".join("".join(map(_printable, said)).split())
    for pattern, instead in _CALLS:
        plain = pattern.sub(instead, plain)
    quoted = _SPECIAL.sub(lambda one: _ENTITIES.get(one.group(), f"\\{one.group()}"), plain)
    opening = _OPENING.match(quoted)
    if opening is None:
        return quoted
    first = opening.group()
    return f"{first}\\{quoted[len(first) :]}" if first.isdigit() else f"\\{quoted}"


def _printable(letter: str) -> str:
    """The letter itself; what would hide, break or turn round the text around it is replaced."""
    if letter.isspace():
        return " "
    hidden = unicodedata.category(letter) in _UNSEEN or letter in _REORDERING
    return "\ufffd" if hidden else letter


def _study(analysis: load.Analysis, theme: style.Theme, key: str, *, several: bool) -> Iterator[str]:
    if several:
        yield f"## {escape(analysis.study.name)}"
    yield escape(text.question(analysis))
    found = findings.find(analysis, key)
    if found:
        yield "### Findings"
        yield _list(escape(one.text if one.carried else f"Open: {one.text}") for one in found)
    warned = analysis.results.warnings
    if warned:
        yield "### Warnings"
        yield _list(_warning(one.code, one.text, one.where) for one in warned)
    if not several:
        yield "### Pruners"
        yield from _table(tables.summary([analysis], theme, key))
    yield from _differences(analysis)
    yield "<details>\n<summary>Provenance</summary>"
    yield _list(f"**{escape(label)}**: {escape(said)}" for label, said in provenance.rows(analysis))
    yield "</details>"


def _warning(code: str, said: str, where: object) -> str:
    about = f" ({escape(numbers.plain(where))})" if where else ""
    return f"{escape(said)}{about} – {escape(code)}"


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(table: tables.Table) -> Iterator[str]:
    """A caption and its table, numbers to the right; intervals and counts stand below the values."""
    yield escape(table.caption)
    heads = [escape(column.label) for column in table.columns]
    rules = ["---:" if column.numeric else "---" for column in table.columns]
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    yield "\n".join(f"| {' | '.join(row)} |" for row in [heads, rules, *rows])


def _cell(cell: tables.Cell) -> str:
    return "<br>".join(escape(part) for part in (cell.text, cell.detail, cell.count) if part) or " "


def _differences(analysis: load.Analysis) -> Iterator[str]:
    """Differences of accuracy between trained masks, the largest first."""
    trained = {own.name for own in analysis.results.populations if own.trained and own.control is None}
    rows = [row for row in analysis.results.tests if row.test == "accuracy" and {row.a, row.b} <= trained]
    known = [row for row in rows if row.estimate.value is not None]
    if not known:
        return
    known.sort(key=lambda row: -abs(row.estimate.value or 0.0))
    shown = known[:_MOST]
    digits = numbers.places(analysis.study.data.test or 0)
    more = f" The largest {len(shown)} of {len(known)}." if len(shown) < len(known) else ""
    level = numbers.level(row.estimate for row in shown)
    columns = (
        tables.Column("first", numeric=False),
        tables.Column("second", numeric=False),
        tables.Column("difference, points"),
        tables.Column("adjusted p"),
        tables.Column("members"),
    )
    caption = (
        "Mean test accuracy of the first less that of the second, paired by seed where seeds are known; "
        f"brackets: {level} intervals; 0 = no difference; p adjusted over all pairs (Benjamini and "
        f"Hochberg).{more}"
    )
    yield "### Differences of accuracy"
    yield from _table(tables.Table("", caption, columns, [_difference(row, digits) for row in shown]))


def _difference(row: records.Test, digits: int) -> list[tables.Cell]:
    return [
        tables.Cell(row.a or ""),
        tables.Cell(row.b or ""),
        tables.brief(row.estimate, "undefined", 100.0, digits),
        tables.Cell(numbers.probability(row.adjusted_p)),
        tables.Cell(f"{row.n:,}"),
    ]


def _changes(before: Sequence[compare.Former], analyses: Sequence[load.Analysis]) -> Iterator[str]:
    """What changed: everything in sentences, settings, and the numbers that moved most."""
    found = compare.compared(before, analyses)
    yield f"## {compare.TITLE}"
    yield _list(escape(note) for note in compare.notes(before, analyses))
    settings = compared.settings(found, "")
    if settings.rows:
        yield from _table(settings)
    moved = [
        replace(own, numbers=[one for one in own.numbers if one.verdict != quantities.EQUAL][:_MOST])
        for own in found
    ]
    table = compared.moved(moved, "")
    if table.rows:
        yield from _table(
            replace(table, caption=f"{table.caption} At most {_MOST} of a study, without equal ones.")
        )


def _references(analyses: Sequence[load.Analysis]) -> Iterator[str]:
    for own in bibliography.references(analyses):
        about = f" ({escape(own.kind)})" if own.kind else ""
        yield " ".join(
            filter(None, (f"**{escape(own.name)}**{about}:", escape(own.rule), _source(own.source)))
        )


def _source(source: Markup) -> str:
    """A source with its links."""
    parts = _LINK.split(str(source))
    found = [_inside(html.unescape(parts[0]))]
    for url, label, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found += [
            f"[{escape(html.unescape(label))}](<{html.unescape(url)}>)",
            _inside(html.unescape(after)),
        ]
    return "".join(found)


def _inside(said: str) -> str:
    """The same as `escape` for a part of a line: spaces at its ends stay."""
    bare = said.strip()
    lead, trail = said[: len(said) - len(said.lstrip())], said[len(said.rstrip()) :]
    return f"{lead}{escape(bare)}{trail}" if bare else said
