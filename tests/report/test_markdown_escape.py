import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklab.report import markdown

from . import dom
from .test_markdown import parsed

CALLS: list[tuple[str, Callable[[str], bool]]] = [
    ("@torvalds", lambda text: not re.search(r"@\w", text)),
    ("me@example.org", lambda text: not re.search(r"@\w", text)),
    ("see #12", lambda text: not re.search(r"#\d", text)),
    ("owner/name#12", lambda text: not re.search(r"#\d", text)),
    ("GH-12 gh-3", lambda text: not re.search(r"gh-\d", text, re.IGNORECASE)),
    ("https://evil.example/x", lambda text: "://" not in text),
    ("WWW.evil.example", lambda text: "www." not in text.lower()),
    ("a :tada: :+1: b", lambda text: ":tada:" not in text and ":+1:" not in text),
    ("$x$ and $$y$$", lambda text: "$" not in text.replace("<span>$</span>", "")),
    ("turned \u202e round", lambda text: "\u202e" not in text),
    ("nul \x00 and half \ud800", lambda text: "\x00" not in text and bool(text.encode())),
]


@pytest.mark.parametrize(("said", "inert"), CALLS, ids=[repr(said) for said, _ in CALLS])
def test_what_github_would_act_on_does_not_fire(said: str, inert: Callable[[str], bool]) -> None:
    assert not inert(said)
    assert inert(markdown.escape(said))


def test_a_time_of_day_is_no_emoji() -> None:
    assert markdown.escape("2026-11-22 22:24:23+00:00") == "2026-11-22 22:24:23+00:00"


_LETTERS = st.text(
    st.one_of(st.sampled_from(list("\\`*_{}[]()<>#+-=.!|~^$&;:@/\"'1 \n\tax")), st.characters(codec="utf-8")),
    max_size=30,
)


OPENINGS = (
    "# a",
    "- a",
    "+ a",
    "1. a",
    "12) a",
    "===",
    "---",
    "> a",
    "| a |",
    "    a",
    "\ta",
    "- [ ] a",
    "[a]: b",
)
INLINE = (
    *(
        "a #",
        "a|b",
        "a\\|b",
        "`a`",
        "<b>a</b>",
        "&amp;",
        "*a*",
        "_a_",
        "~~a~~",
        "[a](b)",
        "![a](b)",
        "a\\",
        "<a@b.c>",
    ),
    *("<!-- a -->", "a\n\nb", "a\r\n# b", "[^1]", "&#64;"),
)


@pytest.mark.parametrize("said", [*OPENINGS, *INLINE])
def test_markup_comes_out_as_it_went_in(said: str) -> None:
    _check(said)


@settings(deadline=None)
@given(_LETTERS)
def test_any_text_comes_out_as_it_went_in(said: str) -> None:
    _check(said.replace("\u200b", ""))


def _check(said: str) -> None:
    """In a heading, an item, a paragraph and a cell, read by a parser of GitHub's Markdown."""
    wanted = " ".join("".join(map(markdown._printable, said)).split())
    escaped = markdown.escape(said)
    assert "\n" not in escaped
    escaped.encode()
    root = parsed(f"- {escaped}\n\nx {escaped}\n\n| a | b |\n| --- | ---: |\n| {escaped} | y |\n")
    assert {node.tag for node in root.all()} <= {
        "ul",
        "li",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
    }
    (item,) = root.all("li")
    assert item.text().strip() == wanted.strip()
    (paragraph,) = [node for node in root.children if isinstance(node, dom.Node) and node.tag == "p"]
    assert paragraph.text() == f"x {wanted}".strip()
    (table,) = root.all("table")
    assert [cell.text() for cell in table.all("td")] == [wanted, "y"]
    if wanted:
        (heading,) = parsed(f"# {escaped}\n").all("h1")
        assert heading.text() == wanted.strip()
