"""A table of pruners by their place on an axis."""

from collections.abc import Sequence
from dataclasses import replace

from masklab.report import numbers, tables
from masklab.report.together import drawing
from masklab.report.together.lines import Panel, ordered
from masklab.report.together.plan import Plan


def table(plan: Plan, panels: Sequence[Panel], looks: drawing.Looks, key: str) -> tables.Table:
    """One row per line, one column per position.

    Args:
        plan: Figure whose first measure is printed.
        panels: Its lines.
        looks: Colours of the pruners.
        key: Its anchor.
    """
    measure = plan.measures[0]
    places = ordered(place for panel in panels for place in panel.places)
    several = len(panels) > 1
    columns = [
        *([tables.Column("recipe", numeric=False)] if several else []),
        tables.Column("pruner", numeric=False),
        *(tables.Column(f"{place}" if isinstance(place, str) else f"{place:g}") for place in places),
    ]
    rows = []
    for panel in panels:
        digits = measure.digits(panel.points)
        for line in panel.lines:
            at = dict(line.places)
            cells = []
            for place in places:
                point = at.get(place)
                own = None if point is None else measure.get(point)
                cell = tables.estimate(own, "", measure.scale, digits)
                n = "" if point is None else numbers.count(measure.count(point), measure.noun)
                cells.append(replace(cell, count=n))
            names = tuple(point.name for point in at.values())
            own_name = tables.Cell(line.label, line.label, colour=looks[line.pruner], populations=names)
            rows.append([*([tables.Cell(panel.title, panel.title)] if several else []), own_name, *cells])
    known = [own for panel in panels for point in panel.points if (own := measure.get(point)) is not None]
    unit = f", {measure.unit.strip()}" if measure.unit else ""
    caption = (
        f"Pruners by {plan.axis.name}. {measure.said.capitalize()}{unit}; brackets: {numbers.level(known)} "
        "intervals; – = no such population."
    )
    return tables.Table(key, caption, columns, rows)
