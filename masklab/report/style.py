"""One look for all figures: colours by population, markers by block, SVG that follows the page's theme."""

import html
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from masklab.report import load

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""Sentinel for text, ticks and edges; it becomes `currentColor`, so figures follow the theme."""

WIDTH = 10.0
"""Width of a full figure in inches; 96 CSS pixels each."""

_HEX = re.compile(r"#[0-9a-f]{6}")
_STYLED = re.compile(r'<(?P<tag>path|use|g|rect|line)(?P<rest> [^>]*style="(?P<style>[^">]*)")')
_DISTINCT = re.compile(r"(?s)(?=.*[^\W\d_])(?=.*[\d+_-])")  # other names may be words or numbers of a figure
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_FONT = "DejaVu Sans"


@dataclass(frozen=True)
class Theme:
    """What is drawn alike in all figures of a page.

    Attributes:
        colours: Population name → colour, the same in every study of the page.
    """

    colours: Mapping[str, str]

    def marker(self, block: int, blocks: Sequence[int]) -> str:
        """Marker of a block; a circle for all when there are more blocks than markers."""
        return _MARKERS[blocks.index(block)] if len(blocks) <= len(_MARKERS) else _MARKERS[0]

    def blocks_have_markers(self, blocks: Sequence[int]) -> bool:
        """Whether a reader can tell the blocks apart."""
        return 1 < len(blocks) <= len(_MARKERS)


_SAFE = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
    "#ca9161",
    "#fbafe4",
    "#949494",
    "#ece133",
    "#56b4e9",
)
"""Seaborn's palette `colorblind`, whose import takes longer than most pages need for their tables."""


def theme(analyses: Iterable[load.Analysis]) -> Theme:
    """Colours for every population of every study, colour-blind safe for up to ten."""
    return Theme(colours(list(dict.fromkeys(name for analysis in analyses for name in analysis.names))))


def colours(names: Sequence[str]) -> dict[str, str]:
    """One colour for each name, colour-blind safe for up to ten."""
    if len(names) <= len(_SAFE):
        return dict(zip(names, _SAFE, strict=False))
    import seaborn

    return dict(zip(names, seaborn.color_palette("husl", len(names)).as_hex(), strict=True))


@contextmanager
def drawing(key: str) -> Iterator[None]:
    """Settings under which one figure is drawn and saved.

    Args:
        key: Name of the figure; it seeds the ids inside the SVG.
    """
    import matplotlib as mpl

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "text.parse_math": False,  # a `$` in a name is a `$`
        "font.family": [_FONT],
        "font.size": 9.0,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "grid.alpha": 0.15,
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.6,
        **dict.fromkeys(_INK_SETTINGS, INK),
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text is set by the browser, which has other fonts: a glyph missing here is not missing there.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from font", category=UserWarning)
        yield


_INK_SETTINGS = (
    "text.color",
    "axes.edgecolor",
    "axes.labelcolor",
    "xtick.color",
    "ytick.color",
    "grid.color",
    "lines.color",
    "patch.edgecolor",
    "legend.labelcolor",
)


def new_figure(height: float, width: float = WIDTH) -> "Figure":
    """Empty figure outside pyplot; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def legend(
    owner: "Axes | Figure", entries: Sequence[tuple["Artist", str]], *, title: str = "", **options: Any
) -> None:
    """Legend whose labels are taken literally, a leading underscore included.

    Args:
        owner: Axes or figure that gets the legend.
        entries: (handle, label) pairs; nothing is drawn for none.
        title: Heading.
        options: Passed on to matplotlib.
    """
    if not entries:
        return
    handles = [handle for handle, _ in entries]
    drawn = owner.legend(
        handles, [str(place) for place in range(len(handles))], title=title or None, **options
    )
    for text, (_, label) in zip(drawn.get_texts(), entries, strict=True):
        text.set_text(label)
    drawn.set_alignment("left")


def columns(entries: Sequence[tuple["Artist", str]], width: float = WIDTH) -> int:
    """Columns of a legend, at most four, so that the longest label fits; width in inches."""
    longest = max((len(label) for _, label in entries), default=0)
    return max(1, min(4, len(entries), int(width / (0.6 + 0.075 * longest))))


def legend_below(figure: "Figure", entries: Sequence[tuple["Artist", str]]) -> None:
    """Legend under all panels, in as many columns as fit."""
    legend(figure, entries, loc="outside lower center", ncols=columns(entries, figure.get_figwidth()))


def population_entries(theme: Theme, names: Iterable[str]) -> list[tuple["Artist", str]]:
    """Legend entries for populations."""
    from matplotlib.lines import Line2D

    return [
        (Line2D([], [], color=theme.colours[name], marker="o", markersize=5, linewidth=2), name)
        for name in names
    ]


def block_entries(theme: Theme, blocks: Sequence[int]) -> list[tuple["Artist", str]]:
    """Legend entries for blocks, none when their markers do not differ."""
    from matplotlib.lines import Line2D

    if not theme.blocks_have_markers(blocks):
        return []
    look: dict[str, Any] = {"linestyle": "none", "markersize": 5, "color": INK, "markerfacecolor": "none"}
    return [
        (Line2D([], [], marker=theme.marker(block, blocks), **look), f"weight draw {block}")
        for block in blocks
    ]


def svg(figure: "Figure", key: str, message: str) -> Markup:
    """Inline SVG of a figure: no prolog, own ids, theme colours, a label for screen readers.

    Args:
        figure: What was drawn, under `drawing(key)`.
        key: Prefix of every id; unique on the page.
        message: What the figure shows, in a sentence.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, dpi=144)
    return inline(buffer.getvalue(), key, message, 96.0 * figure.get_figwidth())


def inline(text: str, key: str, message: str, width: float) -> Markup:
    """Make a stand-alone SVG document part of a page, at most `width` CSS pixels wide."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<defs>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^!>][^>]*>", lambda tag: _adapt(tag.group(), key), body)
    view = re.search(r'viewBox="([^"]*)"', body)
    box = view.group(1) if view else ""
    head = (
        f'<svg class="figure" role="img" aria-label="{escape(message)}" viewBox="{box}" '
        f'style="max-width:{width:.0f}px">'
    )
    body = re.sub(r"^<svg[^>]*>", lambda _: head, body)
    return Markup(re.sub(r"\n\s*", "\n", body))  # noqa: S704  matplotlib escapes text, `head` escapes the message


def owner(theme: Theme, name: str) -> str:
    """The `gid` of what is drawn in ink, but is of one population."""
    return f"of-{list(theme.colours).index(name)}"


def classed(drawing: Markup, theme: Theme) -> Markup:
    """The same SVG with the class `p<k>` on what is of population k: by colour, by name, or by `owner`.

    Args:
        drawing: Made by `svg`.
        theme: Colours; k counts its populations.
    """
    places = {colour: place for place, colour in enumerate(theme.colours.values())}
    names = {name: place for place, name in enumerate(theme.colours) if _DISTINCT.match(name)}

    def coloured(found: re.Match[str]) -> str:
        own = [places[colour] for colour in _HEX.findall(found["style"]) if colour in places]
        return f'<{found["tag"]} class="p{own[0]}"{found["rest"]}' if own else found.group()

    def named(found: re.Match[str]) -> str:
        place = names.get(html.unescape(found["name"]))
        return found.group() if place is None else f'<text class="p{place}"{found["rest"]}>{found["name"]}<'

    text = _STYLED.sub(coloured, drawing)
    text = re.sub(r'<g id="[^"]*-of-(\d+)">', r'<g class="p\1">', text)
    text = re.sub(r"<text(?P<rest>[^>]*)>(?P<name>[^<]*)<", named, text)
    return Markup(text)  # noqa: S704  only classes were added


def _adapt(tag: str, key: str) -> str:
    """One tag with prefixed ids and theme colours; never applied to text between tags."""
    tag = re.sub(r'\bid="([^"]*)"', rf'id="{key}-\1"', tag)
    tag = re.sub(r'href="#([^"]*)"', rf'href="#{key}-\1"', tag)
    tag = re.sub(r"url\(#([^)]*)\)", rf"url(#{key}-\1)", tag)
    tag = tag.replace(INK, "currentColor")
    return tag.replace(f"'{_FONT}'", f"'{_FONT}', Verdana, sans-serif")
