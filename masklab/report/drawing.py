"""All figures of a page, drawn in worker processes where that is quicker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from masklab import parallel, progress
from masklab.report import chapters, load, style
from masklab.report.figures import ALL, Figure

_MANY = 40  # members: below, figures are drawn sooner than worker processes have started
_WORKERS = 4  # more would each draw less than they take to start

Drawn = dict[str, Figure]
"""Figures of one study, by name."""


def begin(
    analyses: Mapping[str, load.Analysis], theme: style.Theme, jobs: int
) -> Iterator[tuple[str, Drawn]]:
    """Start to draw the figures of all studies; (key, some of its figures) as they become ready.

    Args:
        analyses: Studies by the prefix of their anchors.
        theme: Colours.
        jobs: Worker processes; 0: as many as pay.
    """
    if jobs == 0:
        members = sum(len(analysis.results.members) for analysis in analyses.values())
        jobs = min(parallel.cores(), _WORKERS) if members >= _MANY else 1
    calls = []
    for key, analysis in analyses.items():
        names = chapters.figures(analysis)
        parts = len(names) if jobs == 1 else -(-jobs // len(analyses))  # a call carries the whole analysis
        calls += [(analysis, theme, key, part) for part in _parts(names, parts)]
    return parallel.run(draw, calls, jobs)


def gathered(
    found: Iterator[tuple[str, Drawn]],
    listener: progress.Listener,
    analyses: Mapping[str, load.Analysis],
) -> dict[str, Drawn]:
    """What `begin` gives, by study.

    Args:
        found: As `begin` gives it.
        listener: Told how many figures are drawn.
        analyses: Studies by the prefix of their anchors.
    """
    all_of: dict[str, Drawn] = {key: {} for key in analyses}
    listener.begin("figures", sum(len(chapters.figures(analysis)) for analysis in analyses.values()))
    for key, drawn in found:
        all_of[key].update(drawn)
        listener.advance(sum(map(len, all_of.values())))
    listener.end()
    return all_of


def draw(analysis: load.Analysis, theme: style.Theme, key: str, names: Sequence[str]) -> tuple[str, Drawn]:
    """Some figures of one study, with the classes of their populations.

    Args:
        analysis: What is shown.
        theme: Colours.
        key: Prefix of the study's anchors.
        names: Which figures.
    """
    return key, {name: marked(ALL[name](analysis, theme, f"{key}-{name}"), theme) for name in names}


def marked(figure: Figure, theme: style.Theme) -> Figure:
    """The same figure, in which the script finds what is drawn of each population."""
    return figure if figure.svg is None else replace(figure, svg=style.classed(figure.svg, theme))


def _parts(names: Sequence[str], number: int) -> list[Sequence[str]]:
    """Names dealt out in turn, as neighbours take alike long."""
    return [part for place in range(number) if (part := names[place::number])]
