"""Populations of all studies on common axes: density, width, network. The shape of the papers' figures."""

from collections.abc import Sequence

from masklab.report import load, style
from masklab.report.figures import figure
from masklab.report.tables import Table
from masklab.report.together import colours, data, drawing, pivot, points, sentences
from masklab.report.together.figures import plans
from masklab.report.together.plan import Plan


def has(analyses: Sequence[load.Analysis]) -> bool:
    """Whether populations of one pruner differ in density, width or network."""
    return any(plan.applies(analyses) for plan in plans().values())


def figures(analyses: Sequence[load.Analysis], theme: style.Theme, key: str) -> dict[str, figure.Figure]:
    """Figures by anchor, in the order of the page; none where nothing varies.

    Args:
        analyses: All studies of the page.
        theme: Colours of the populations.
        key: Prefix of every anchor.
    """
    looks = colours.pruners(analyses, theme)
    found = points.gather(analyses)
    drawn = {}
    for name, plan in plans().items():
        if plan.applies(analyses):
            anchor = f"{key}-{name.replace('_', '-')}"
            drawn[anchor] = _figure(plan, found, analyses, looks, anchor)
    return drawn


def _figure(
    plan: Plan,
    found: Sequence[points.Point],
    analyses: Sequence[load.Analysis],
    looks: drawing.Looks,
    key: str,
) -> figure.Figure:
    panels, rest = plan.panels(found)
    if not panels:
        return figure.absent(plan.title, sentences.absent(plan, found))
    message = sentences.message(plan, panels)
    return figure.Figure(
        plan.title,
        message,
        sentences.caption(plan, panels, rest, analyses),
        drawing.draw(plan, panels, looks, key, message),
        data.rows(plan, panels),
    )


def tables(analyses: Sequence[load.Analysis], theme: style.Theme, key: str) -> list[Table]:
    """Accuracy of each pruner by its place on an axis, as the papers print it; one table per axis.

    Args:
        analyses: All studies of the page.
        theme: Colours of the populations.
        key: Prefix of every anchor.
    """
    looks = colours.pruners(analyses, theme)
    found = points.gather(analyses)
    made = [
        pivot.table(plan, panels, looks, f"{key}-{name.replace('_', '-')}-table")
        for name, plan in plans().items()
        if plan.explained and (panels := plan.panels(found)[0])
    ]
    return [table for table in made if table.rows]
